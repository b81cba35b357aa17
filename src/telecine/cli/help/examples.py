"""Two commands or more for each command, as `--help` shows them; a test parses every one."""

EXAMPLES: dict[str, tuple[str, ...]] = {
    "demo": ("telecine demo", "telecine demo my-demo --episodes 5 --seconds 10"),
    "inspect": (
        "telecine inspect recordings/ --plan plan.yaml",
        "telecine inspect dataset/ --png pictures/",
        "telecine inspect 'bags/*.mcap' --contact-sheet cameras.png",
    ),
    "convert": (
        'telecine convert recordings/ dataset --task-text "pick up the cube"',
        "telecine convert recordings/ dataset --plan plan.yaml --dry-run",
        "telecine convert monday.rrd tuesday.rrd dataset --append --fps 30",
    ),
    "finalize": ("telecine finalize dataset --dry-run", "telecine finalize dataset"),
    "verify": ("telecine verify dataset/", "telecine verify dataset/ --against recordings/ --decode all"),
    "repair": ("telecine repair broken/", "telecine repair broken/ --apply mended"),
    "push": (
        "telecine push dataset/ you/picks --license apache-2.0",
        "telecine push dataset/ you/picks --private --dry-run",
    ),
    "view": ("telecine view dataset/ --episode 3 --row 120", "telecine view recordings/ --no-open --port 8080"),
    "schema": ("telecine schema", "telecine schema > plan.schema.json"),
    "sim": ("telecine record sim picks --episodes 10", "telecine record sim runs --as run --task handover"),
    "edit": (
        "telecine edit dataset/ curated --delete 3,7-9 --trim 4:1.5s..6.2s",
        "telecine edit dataset/ curated --where 'success == true and rows >= 30' --dry-run",
        'telecine edit dataset/ --in-place --task "4=pick up the cube"',
    ),
    "merge": (
        "telecine merge monday/ tuesday/ both",
        "telecine merge a/ b/ both --rename b/:observation.images.cam=observation.images.front",
    ),
    "diff": ("telecine diff dataset/ curated/", "telecine diff dataset/ curated/ --no-frames --json"),
    "help": ("telecine help plan", "telecine help convert"),
    "completion": (
        "telecine completion bash >> ~/.bashrc",
        "telecine completion fish > ~/.config/fish/completions/telecine.fish",
    ),
}
