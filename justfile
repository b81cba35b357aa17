# What a maintainer types; `just` alone lists it. Needs an environment with: pip install -e '.[all,test,reference,lint]'

default:
    @just --list

# format, lint, types, import rules: seconds, before every commit
check:
    ruff format --check .
    ruff check .
    bandit -q -r src -c pyproject.toml
    mypy
    lint-imports

# put what can be put right in order
fix:
    ruff check --fix .
    ruff format .

# all tests; `just test tests/core` some
test *paths:
    pytest -n 2 {{paths}}

# the site of the docs on a local port, rebuilt while you write; needs: pip install -e '.[docs]'
docs:
    mkdocs serve --strict

# recordings, a dataset, what to do next
demo:
    telecine demo

# what a change has to pass, in fresh environments
gate step="all":
    bash .ci/run {{step}}

# wheel and sdist, tried in a clean environment
dist:
    bash .ci/dist
