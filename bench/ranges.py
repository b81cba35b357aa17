"""A file server that answers ranges, which browsers need to seek in videos: the limit of what any page's server does.

python bench/ranges.py FOLDER      # prints its address
"""

import socket
import sys

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

if __name__ == "__main__":
    with socket.create_server(("127.0.0.1", 0)) as bound:
        print(f"http://127.0.0.1:{bound.getsockname()[1]}", flush=True)
        app = Starlette(routes=[Mount("/", StaticFiles(directory=sys.argv[1]))])
        uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off", ws="none")).run(sockets=[bound])
