"""The clips that a command is given, read, and the one of them that is meant."""

from mimicgym.cli.motion.arguments import ClipArgs, FilesArgs
from mimicgym.errors import UserError, unknown_name
from mimicgym.motion import Motion, load_library


def require_files(args: FilesArgs) -> None:
    """`UserError` for a command that is given no clips."""
    if not args.files:
        raise UserError("files is empty; name an embedded clip, a file or a folder")


def read_clips(args: ClipArgs) -> tuple[Motion, ...]:
    """Every clip of the files, or those with the name that is asked for."""
    require_files(args)
    library = load_library(args.files, fps=args.fps, quat_order=args.quat_order)
    if args.clip is None:
        return library.motions
    chosen = tuple(m for m in library.motions if m.name == args.clip)
    if not chosen:
        names = [motion.name for motion in library.motions]
        raise unknown_name("clip of these files", args.clip, names)
    return chosen
