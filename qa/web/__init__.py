"""The web page and the REST API: questions left, the marked document right.

>>> from qa import QA
>>> from qa.web import build_app
>>> app = build_app(QA.open("INDEX_DIR"))              # doctest: +SKIP
"""

import os

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # gradio reads it when it is imported

from qa.web.chat import build_app

__all__ = ["build_app"]
