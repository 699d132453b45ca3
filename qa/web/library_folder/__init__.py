"""What the page may do to the folders of documents: save, delete, restore and send files of theirs."""

from qa.web.library_folder.disk import DiskUse, disk_use
from qa.web.library_folder.files import FolderChangeError, original
from qa.web.library_folder.trash import Trashed, move_to_trash, restore, trash, trash_dir
from qa.web.library_folder.uploads import Uploaded, UploadLimits, save_uploads

__all__ = [
    "DiskUse",
    "FolderChangeError",
    "Trashed",
    "UploadLimits",
    "Uploaded",
    "disk_use",
    "move_to_trash",
    "original",
    "restore",
    "save_uploads",
    "trash",
    "trash_dir",
]
