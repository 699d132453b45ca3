"""The web app: pages, their REST API and MCP tools, and the server that they run on."""

import os

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # gradio reads it when it is imported

from qa.web.library_folder import UploadLimits
from qa.web.page import build_page, start
from qa.web.server import Server, ServerSettings
from qa.web.site import Site

__all__ = ["Server", "ServerSettings", "Site", "UploadLimits", "build_page", "start"]
