"""The web app: pages, their REST API and MCP tools, and the server that they run on."""

import getpass
import os
import tempfile
from pathlib import Path

# gradio reads both when it is imported
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ.setdefault("GRADIO_TEMP_DIR", str(Path(tempfile.gettempdir(), f"footnote-{getpass.getuser()}")))

from qa.web.library_folder import UploadLimits
from qa.web.page import build_page, start
from qa.web.server import Server, ServerSettings
from qa.web.site import Site

__all__ = ["Server", "ServerSettings", "Site", "UploadLimits", "build_page", "start"]
