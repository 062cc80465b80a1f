"""Reads names of files, programs and paths: 'report.txt', 'os.path', '/usr/bin', 'C#', '.NET'."""

import re

_EXTENSIONS = {  # written -> spoken
    "txt": "T X T", "pdf": "P D F", "doc": "doc", "docx": "doc X", "xls": "X L S",
    "xlsx": "X L S X", "ppt": "P P T", "pptx": "P P T X", "csv": "C S V", "tsv": "T S V",
    "json": "JSON", "jsonl": "JSON L", "yaml": "YAML", "yml": "Y M L", "toml": "TOML",
    "xml": "X M L", "html": "H T M L", "htm": "H T M", "css": "C S S", "js": "J S",
    "jsx": "J S X", "ts": "T S", "tsx": "T S X", "py": "P Y", "ipynb": "I P Y N B",
    "cpp": "C P P", "hpp": "H P P", "cs": "C S", "rs": "R S", "rb": "R B", "go": "go",
    "java": "java", "sh": "S H", "md": "M D", "rst": "R S T", "tex": "tex", "log": "log",
    "ini": "ini", "cfg": "C F G", "conf": "conf", "bat": "bat", "exe": "E X E", "dll": "D L L",
    "zip": "zip", "tar": "tar", "gz": "G Z", "bz2": "B Z two", "xz": "X Z", "rar": "rar",
    "jpg": "J peg", "jpeg": "J peg", "png": "P N G", "gif": "gif", "svg": "S V G", "bmp": "B M P",
    "webp": "web P", "wav": "wave", "mp3": "M P three", "mp4": "M P four", "m4a": "M four A",
    "flac": "flack", "ogg": "ogg", "mov": "M O V", "avi": "A V I", "mkv": "M K V", "db": "D B",
    "sql": "S Q L", "env": "env", "lock": "lock", "bak": "back", "pt": "P T", "onnx": "onnx",
    "safetensors": "safe tensors", "iso": "I S O", "git": "git", "apk": "A P K", "dmg": "D M G",
}  # fmt: skip
_EXTENSION = "|".join(sorted(_EXTENSIONS, key=len, reverse=True))
_FILE = re.compile(
    rf"(?<![\w.@/-])([A-Za-z0-9][\w-]{{0,63}}(?:\.[A-Za-z0-9_][\w-]{{0,31}}){{0,3}}?)"
    rf"((?:\.(?:{_EXTENSION})){{1,2}})(?![\w@/-]|\.\w)"
)
_DOTTED_NAME = re.compile(
    r"(?<![\w.@/'-])([A-Za-z_]\w{1,40}(?:\.[a-z_]\w{1,40}){1,6})(\(\))?(?![\w@/']|\.\w)"
)
_C_FILE = re.compile(r"(?<=[A-Za-z_]{2})\.(?=[ch]\b(?![.\w]))")
_LEADING_DOT = re.compile(r"(?<![\w.)\"'\]])\.(?=[A-Za-z][A-Za-z]{1,20}\b)")
_DOT_NET = re.compile(r"(?<=[A-Za-z])\.NET\b|(?<![\w.])\.NET\b")
_PATH = re.compile(
    r"(?<![\w/.<])(~|\.{1,2})?((?:/\.?[\w@+-][\w@+.-]{0,63}){2,20}/?|(?<=~)/[\w.-]{1,64})(?![\w/])"
)
_WINDOWS_PATH = re.compile(r"(?<!\w)([A-Z]):((?:\\[\w.-]{1,64}){1,20})\\?")
_SHARP = re.compile(r"(?<![\w#])([A-GJ])#(?![\w#])")
_PLUS_PLUS = re.compile(r"(?<![+\w])([A-Za-z]\w{0,20})\+\+(?![+\w])")
_OPTION = re.compile(r"(?<!\S)--(?=[A-Za-z][\w-]*)")
_CALL = re.compile(r"(?<=\w)\(\)")
_SNAKE = re.compile(r"(?<=[A-Za-z\d])_(?=[A-Za-z\d])")


def read_files(text: str) -> str:
    """'report.txt' -> 'report dot T X T', 'C#' -> 'C sharp', '.NET' -> 'dot net'."""
    text = _WINDOWS_PATH.sub(_read_windows_path, text)
    text = _PATH.sub(_read_path, text)
    text = _FILE.sub(lambda m: _dots(m[1]) + _read_extensions(m[2]), text)
    text = _C_FILE.sub(" dot ", text)
    text = _DOT_NET.sub(" dot net", text)
    text = _DOTTED_NAME.sub(lambda m: _dots(m[1]), text)
    text = _LEADING_DOT.sub("dot ", text)
    text = _SHARP.sub(r"\1 sharp", text)
    text = _PLUS_PLUS.sub(r"\1 plus plus", text)
    text = _OPTION.sub("dash dash ", text)
    return _CALL.sub("", _SNAKE.sub(" ", text))


def _dots(name: str) -> str:
    return name.replace(".", " dot ").replace("_", " ")


def _read_extensions(extensions: str) -> str:
    return "".join(f" dot {_EXTENSIONS[name]}" for name in extensions[1:].split("."))


def _read_path(match: re.Match[str]) -> str:
    start = {"~": "tilde", ".": "dot", "..": "dot dot"}.get(match[1] or "", "")
    body, dot = (match[2][:-1], ".") if match[2].endswith(".") else (match[2], "")
    return start + _parts(body.rstrip("/").split("/"), "slash") + dot


def _read_windows_path(match: re.Match[str]) -> str:
    return f"{match[1]} drive{_parts(match[2].split(chr(92)), 'backslash')}"


def _parts(parts: list[str], sign: str) -> str:
    return "".join(f" {sign} {_part(part)}" for part in parts[1:])


def _part(part: str) -> str:
    stem, dot, extension = part.rpartition(".")
    if dot and extension in _EXTENSIONS:
        return f"{_dots(stem)} dot {_EXTENSIONS[extension]}"
    return _dots(part).strip()
