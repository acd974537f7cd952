# SPDX-License-Identifier: Apache-2.0
"""The closed list of names that a `.metadata` of PyTorch's DCP may hold, and what each stands for."""

from typing import Any

from shardmark_tools.job.box_cover import Extents
from shardmark_tools.job.dtypes import ITEM_SIZES, REFUSED
from shardmark_tools.job.pickle_reader import Name, PickleError, kind_of, record_class, shown

SHARD_PACKAGE = "torch.distributed._shard.checkpoint"  # torch 1.13
PACKAGE = "torch.distributed.checkpoint"  # 2.x
PROPERTIES_MODULE = "torch.distributed._shard.sharded_tensor.metadata"  # of the enum, too
MEGATRON_MODULE = "megatron.core.dist_checkpointing.strategies.torch"
METADATA_CLASSES = (
    "Metadata", "TensorStorageMetadata", "BytesStorageMetadata", "ChunkStorageMetadata",
    "MetadataIndex",
)  # fmt: skip
# Of what Megatron-Core keeps beside the metadata: every rank's local plan.
PLAN_CLASSES = ("SavePlan", "WriteItem", "TensorWriteData", "BytesIOWriteData")
LARGEST = 2**63 - 1


class DtypeName:
    __slots__ = ("text",)

    def __init__(self, text: str):
        self.text = text


def size(args: tuple[Any, ...]) -> Extents:
    """torch.Size of one tuple of extents or offsets."""
    if len(args) != 1 or type(args[0]) is not tuple:
        raise PickleError(f"torch.Size of {', '.join(map(kind_of, args))}")
    for extent in args[0]:
        if type(extent) is not int or not 0 <= extent <= LARGEST:
            raise PickleError("torch.Size with other than numbers from 0 to 2^63 - 1")
    return args[0]


def path_text(args: tuple[Any, ...]) -> str:
    if not all(type(part) is str for part in args):
        raise PickleError("a path of other than text")
    return "/".join(args)


def layout_name(args: tuple[Any, ...]) -> str:
    """torch.serialization._get_layout("torch.strided"): elements lie as their strides say."""
    if args != ("torch.strided",):
        found = shown(args[0]) if len(args) == 1 and type(args[0]) is str else "other arguments"
        raise PickleError(f"layout {found}; only torch.strided is read")
    return args[0]


def enum_name(text: str) -> Name:
    """An enum whose members pickle as a call with their number."""

    def make(args: tuple[Any, ...]) -> int:
        if len(args) != 1 or type(args[0]) is not int:
            raise PickleError(f"{text} of other than a number")
        return args[0]

    return Name(text, make)


ENUMS = {  # and how the members' names begin
    enum_name(f"{PROPERTIES_MODULE}.MEM_FORMAT_ENCODING"): ("TORCH_",),
    enum_name(f"{PACKAGE}.metadata._MEM_FORMAT_ENCODING"): ("TORCH_",),
    enum_name(f"{PACKAGE}.planner.WriteItemType"): ("TENSOR", "SHARD", "BYTE_IO"),
}


def member_of_enum(args: tuple[Any, ...]) -> str:
    """The one form of getattr that Python 3.11 pickles an enum's member by."""
    begins = ENUMS.get(args[0]) if len(args) == 2 and isinstance(args[0], Name) else None
    if begins is None or type(args[1]) is not str:
        raise PickleError("builtins.getattr of other than a member of an enum")
    if not args[1].startswith(begins) or len(args[1]) > 64:
        raise PickleError(f"builtins.getattr of '{shown(args[1])}'")
    return args[1]


def refused_dtype(name: str) -> Name:
    def make(_args: tuple[Any, ...]) -> Any:
        raise PickleError(f"dtype torch.{name} is not supported")

    return Name(f"torch.{name}", make)


def metadata_names() -> dict[tuple[str, str], Any]:
    """{(module, name): what stands for it}."""
    names: dict[tuple[str, str], Any] = {}
    for package in (SHARD_PACKAGE, PACKAGE):
        for name in METADATA_CLASSES:
            names[f"{package}.metadata", name] = record_class(
                f"{package}.Metadata" if name == "Metadata" else name
            )
        names[f"{package}.filesystem", "_StorageInfo"] = record_class("_StorageInfo")
    names[f"{PACKAGE}.metadata", "StorageMeta"] = record_class("StorageMeta")
    for module in (PROPERTIES_MODULE, f"{PACKAGE}.metadata"):
        names[module, "TensorProperties"] = record_class("TensorProperties")
    for enum in ENUMS:
        module, _, name = enum.text.rpartition(".")
        names[module, name] = enum
    for name in PLAN_CLASSES:
        names[f"{PACKAGE}.planner", name] = record_class(name)
    names[f"{PACKAGE}.filesystem", "_StoragePrefix"] = record_class("_StoragePrefix")
    names[MEGATRON_MODULE, "MCoreSavePlan"] = record_class("SavePlan")
    names[MEGATRON_MODULE, "MCoreMetadata"] = record_class(f"{PACKAGE}.Metadata")
    names["builtins", "getattr"] = Name("builtins.getattr", member_of_enum)
    names["torch.serialization", "_get_layout"] = Name(
        "torch.serialization._get_layout", layout_name
    )
    names["torch", "Size"] = Name("torch.Size", size)
    for module in ("pathlib", "pathlib._local"):
        names[module, "PosixPath"] = Name("pathlib.PosixPath", path_text)
    names.update({("torch", name): DtypeName(name) for name in (*ITEM_SIZES, *REFUSED)})
    return names
