"""The package's names, its lazy imports, and Jupyter Server's extension."""

import asyncio
import json
import subprocess
import sys
import types
from pathlib import Path

import pytest

import sambalab
from sambalab import serverextension


def test_the_package_imports_numpy_only_when_it_is_needed():
    code = (
        "import sys, sambalab; assert not {'numpy', 'ipywidgets'} & set(sys.modules); "
        "sambalab.data; assert 'numpy' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_public_name_exists():
    for name in sambalab.__all__:
        assert getattr(sambalab, name) is not None
    assert set(sambalab.__all__) <= set(dir(sambalab))
    with pytest.raises(AttributeError):
        _ = sambalab.nonsense


def test_the_server_extension_sets_nodelay_and_never_fails(monkeypatch):
    pytest.importorskip("jupyter_server")
    from jupyter_server.services.kernels import websocket

    calls = []

    class Handler:
        log = types.SimpleNamespace(debug=lambda *a, **k: calls.append("debug"))

        def set_nodelay(self, value):
            calls.append(value)
            raise OSError("no stream")

        async def open(self, kernel_id):
            calls.append(kernel_id)

    monkeypatch.setattr(websocket, "KernelWebsocketHandler", Handler)
    app = types.SimpleNamespace(log=types.SimpleNamespace(info=lambda *a: calls.append("info")))
    serverextension._load_jupyter_server_extension(app)
    serverextension._load_jupyter_server_extension(app)
    asyncio.run(Handler().open("kernel"))
    assert calls == [True, "debug", "kernel"]
    monkeypatch.delattr(websocket, "KernelWebsocketHandler")
    serverextension._load_jupyter_server_extension(app)
    assert calls[-1] == "info"


def test_the_server_configuration_names_the_package():
    path = Path(__file__).parents[2] / "jupyter-config/server-config/sambalab.json"
    assert json.loads(path.read_text())["ServerApp"]["jpserver_extensions"] == {"sambalab": True}
    assert sambalab._jupyter_server_extension_points() == [{"module": "sambalab.serverextension"}]
