"""MuJoCo, and its own renderer where there is an OpenGL for it.

MuJoCo looks at the environment variable MUJOCO_GL while it is imported, and fails then when the library that it names
is missing or broken, in ways that depend on the library. Nothing but its renderer needs one.
"""

import importlib.util
import os
from typing import Any, Literal

from telecine.core.errors import SourceError
from telecine.video.frames.colour import Rgb

Render = Literal["auto", "rays", "gl"]
"""`auto`: gl where MUJOCO_GL names one, else rays."""
_NAME = "MUJOCO_GL"
_OFF = ("", "0", "disable", "disabled", "false", "off")
"""Values of MUJOCO_GL that name none."""


def load_mujoco(render: Render) -> tuple[Any, bool]:
    """MuJoCo, and whether to draw with OpenGL. Raises: SourceError when it, or the OpenGL wanted, is missing."""
    if importlib.util.find_spec("mujoco") is None:
        raise SourceError("the simulated robot needs: pip install 'telecine[sim]'")
    named = os.environ.get(_NAME, "")
    opengl = render == "gl" or (render == "auto" and named.lower() not in _OFF)
    try:
        import mujoco
    except Exception as error:
        if opengl:
            raise _unusable(error) from error
        return _without_opengl(named), False
    return mujoco, opengl


def _without_opengl(named: str) -> Any:
    """MuJoCo, where what MUJOCO_GL names cannot be loaded and is not needed."""
    os.environ[_NAME] = "disabled"
    try:
        import mujoco
    except ImportError as error:
        raise SourceError(f"MuJoCo cannot be loaded: {error}") from error
    finally:
        os.environ[_NAME] = named
    return mujoco


class GlCamera:
    """MuJoCo's own renderer, without shadows, which cost software rendering 20 times the rest."""

    def __init__(self, mujoco: Any, model: Any, name: str, size: tuple[int, int]) -> None:
        self._name = name
        model.vis.global_.offwidth, model.vis.global_.offheight = size
        try:
            self._renderer = mujoco.Renderer(model, height=size[1], width=size[0])
        except Exception as error:
            raise _unusable(error) from error
        self._renderer.scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = 0

    def begin(self, data: Any) -> None:
        """Nothing to prepare."""

    def render(self, data: Any) -> Rgb:
        """(height, width, 3) uint8."""
        self._renderer.update_scene(data, camera=self._name)
        frame: Rgb = self._renderer.render().copy()
        return frame

    def close(self) -> None:
        """Let go of the context."""
        self._renderer.close()


def _unusable(error: Exception) -> SourceError:
    """Each graphics library has errors of its own."""
    named = os.environ.get(_NAME, "")
    return SourceError(
        f"no OpenGL to draw with ({_NAME}={named!r}): {type(error).__name__}: {error}; set {_NAME} to one that is "
        "installed (egl, osmesa, glfw), or draw with rays: --render rays"
    )
