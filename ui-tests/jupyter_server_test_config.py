"""JupyterLab for the UI tests: no token, the application exposed to the page. Never use this for anything else."""

import os

from jupyterlab.galata import configure_jupyter_server

c = get_config()  # noqa: F821
configure_jupyter_server(c)
c.ServerApp.port = int(os.environ["SAMBALAB_UI_PORT"])
c.ServerApp.allow_root = True
c.ServerApp.log_level = "ERROR"
# Without this every page starts Node to ask whether JupyterLab's own application should be built again.
c.ServerApp.tornado_settings = {"page_config_data": {"buildAvailable": False, "buildCheck": False}}
