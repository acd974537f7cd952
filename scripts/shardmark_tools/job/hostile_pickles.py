# SPDX-License-Identifier: Apache-2.0
"""Metadata files that someone made to hurt, for tests: {what: (bytes, a word of the refusal)}."""

import struct

from shardmark_tools.job.pickle_assembler import (
    METADATA,
    PACKAGE,
    PLANNER,
    call,
    index,
    line_named,
    listed,
    made,
    named,
    number,
    one_tensor,
    properties,
    root,
    sequence,
    size,
    storage,
    table,
    text,
)

HEAD = b"\x80\x04"
SIZE = named("torch", "Size")
Cases = dict[str, tuple[bytes, str]]


def whole(value: bytes) -> bytes:
    return HEAD + value + b"."


def calls() -> Cases:
    """Names that would run something, by every opcode that reaches one."""
    names = [
        ("os", "system"), ("posix", "system"), ("nt", "system"), ("builtins", "eval"),
        ("builtins", "exec"), ("builtins", "__import__"), ("builtins", "open"),
        ("subprocess", "Popen"), ("importlib", "import_module"), ("functools", "partial"),
        ("operator", "attrgetter"), ("copyreg", "_reconstructor"), ("torch", "load"),
        ("torch.storage", "_load_from_bytes"), ("torch.serialization", "load"),
        ("pathlib", "PosixPath.unlink"), ("torch", "Size.__class__"), ("builtins", "getattr.__self__"),
        (METADATA, "pickle.loads"), ("numpy.core.multiarray", "_reconstruct"),
    ]  # fmt: skip
    cases = {
        f"calls {module}.{name}": (whole(call(named(module, name), text("true"))), "not a name")
        for module, name in names
    }
    memory_format = named(METADATA, "_MEM_FORMAT_ENCODING")
    getattr_ = named("builtins", "getattr")
    cases |= {
        "calls os.system by GLOBAL": (whole(call(line_named("os", "system"), text("true"))), "'os.system'"),
        "calls os.system by INST": (whole(b"(" + text("true") + b"ios\nsystem\n"), "INST"),
        "calls os.system by OBJ": (whole(b"(" + named("torch", "Size") + text("true") + b"o"), "OBJ"),
        "makes an object with keywords": (whole(SIZE + b")}\x92"), "NEWOBJ_EX"),
        "makes an object of a function": (whole(getattr_ + b")\x81"), "calls builtins.getattr"),
        "makes a class with arguments": (
            whole(named(METADATA, "Metadata") + sequence(text("x")) + b"\x81"), "arguments"),
        "gets __class__ of a memory format": (
            whole(call(getattr_, memory_format, text("__class__"))), "builtins.getattr"),
        "gets a member of a plan's kind that it has not": (
            whole(call(getattr_, named(PLANNER, "WriteItemType"), text("__class__"))), "builtins.getattr"),
        "gets a member of a plan's kind by another enum": (
            whole(call(getattr_, memory_format, text("SHARD"))), "builtins.getattr"),
        "calls a plan's kind with text": (whole(call(named(PLANNER, "WriteItemType"), text("x"))), "number"),
        "gets a member of torch.Size": (whole(call(getattr_, SIZE, text("TORCH_X"))), "builtins.getattr"),
        "gets a member of text": (whole(call(getattr_, text("a"), text("TORCH_X"))), "builtins.getattr"),
        "calls a dtype": (whole(call(named("torch", "float32"), text("x"))), "calls"),
        "calls text": (whole(call(text("os.system"), text("x"))), "calls str"),
        "gives a class a state": (
            whole(named(METADATA, "Metadata") + table([(text("a"), b"N")]) + b"b"), "gives a state"),
        "gives a dictionary a state": (whole(b"}" + b"}" + b"b"), "gives a state"),
        "gives a second state": (
            whole(made(METADATA, "Metadata", {}) + b"}" + b"b"), "second state"),
        "state of __setstate__": (
            whole(named(METADATA, "Metadata") + b")\x81" + SIZE + b"b"), "a state of kind"),
        "extension 1": (whole(b"\x82\x01"), "EXT1"),
        "extension 2": (whole(b"\x83\x01\x00"), "EXT2"),
        "extension 4": (whole(b"\x84\x01\x00\x00\x00"), "EXT4"),
        "persistent id": (whole(text("x") + b"Q"), "BINPERSID"),
        "persistent id as a line": (whole(b"Pabc\n"), "PERSID"),
    }  # fmt: skip
    return cases


def bombs() -> Cases:
    """Little bytes that stand for much."""
    doubled = b")" + b"\x94" + b"".join(
        b"h" + bytes([k]) + b"h" + bytes([k]) + b"\x86\x94" for k in range(100)
    )
    # Every pair leaves a value below: gather them, so that the last one is on top of one tuple.
    doubled = b"(" + doubled + b"t"
    lists = b"]\x94" + b"".join(
        b"](h" + bytes([k]) + b"h" + bytes([k]) + b"e\x94" for k in range(100)
    )
    lists = b"(" + lists + b"t"
    many = 1_200_000
    plain = {"state_dict_metadata": b"}", "storage_data": b"}"}
    return {
        "tuples doubled a hundred times": (root(**plain, planner_data=doubled), "too large"),
        "lists doubled a hundred times": (root(**plain, planner_data=lists), "too large"),
        "doubled tuples as a key": (
            whole(b"}" + doubled + b"Ns"), "dictionary key"),
        "a list in itself": (root(**plain, planner_data=b"]\x94h\x00a"), "too large"),
        "a dictionary in itself": (root(**plain, planner_data=b"}\x94" + text("a") + b"h\x00s"), "too large"),
        "remembers at 2^31": (whole(b"Nr\xff\xff\xff\x7f"), "remembers"),
        "recalls nothing": (whole(b"j\xff\xff\xff\x7f"), "recalls"),
        "nothing but lists": (HEAD + b"(" + b"]\x94" * many + b"t.", "--memory"),
        "nothing but dictionaries": (HEAD + b"(" + b"}\x94" * many + b"t.", "--memory"),
        "nothing but marks": (HEAD + b"(" * many + b".", "one value"),
        "a tuple nested deep": (whole(b")" + b"\x85" * 200_000), "holds a tuple"),
        "a name nested deep": (whole(call(named("pathlib", "PosixPath"), *[text("a")] * 1000)), "str"),
    }  # fmt: skip


def lengths() -> Cases:
    """Lengths that lie."""
    long = struct.pack("<Q", 2**63)
    return {
        "text of 4 GiB": (HEAD + b"X\xff\xff\xff\xff" + b"a.", "claims"),
        "text of 2^63": (HEAD + b"\x8d" + long + b"a.", "claims"),
        "bytes of 4 GiB": (HEAD + b"B\xff\xff\xff\xff" + b"a.", "claims"),
        "bytes of 2^63": (HEAD + b"\x8e" + long + b"a.", "claims"),
        "short text past the end": (HEAD + b"\x8c\xffa.", "claims"),
        "a frame of 2^63": (HEAD + b"\x95" + long + b"N.", "frame"),
        "an integer of 255 bytes": (HEAD + b"\x8a\xff" + b"\x7f" * 255 + b".", "integer"),
        "an integer of 2 GiB": (HEAD + b"\x8b\xff\xff\xff\x7f.", "LONG4"),
        "an integer of many digits": (HEAD + b"I" + b"9" * 100_000 + b"\n.", "INT"),
        "a long of many digits": (HEAD + b"L" + b"9" * 100_000 + b"L\n.", "LONG"),
        "a float as text": (HEAD + b"F1e999999\n.", "FLOAT"),
        "a byte array of 2^63": (HEAD + b"\x96" + long + b".", "BYTEARRAY8"),
        "a buffer from elsewhere": (HEAD + b"\x97.", "NEXT_BUFFER"),
        "a name without an end": (HEAD + b"cos" + b"a" * 100_000, "without an end"),
        "cut inside a number": (HEAD + b"J\x00", "damaged"),
        "an invalid UTF-8 text": (HEAD + b"X\x01\x00\x00\x00\xff.", "damaged"),
        "no byte": (b"", "damaged"),
        "no end": (HEAD + b"N", "damaged"),
    }  # fmt: skip


def shapes() -> Cases:
    """Well-formed pickles of things that no checkpoint holds."""
    plain = {"state_dict_metadata": b"}", "storage_data": b"}"}
    outside = [((0,), storage("../../../etc/passwd"))]
    return {
        "only an end": (HEAD + b".", "one value"),
        "a mark at the end": (HEAD + b"(.", "one value"),
        "two values": (HEAD + b"NN.", "one value"),
        "bytes after the end": (root(**plain) + b"N.", "bytes follow"),
        "takes from an empty stack": (whole(b"\x86"), "damaged"),
        "takes a mark": (whole(b"(\x85"), "missing"),
        "a key without a value": (whole(b"}(" + text("a") + b"u"), "without a value"),
        "appends to text": (whole(text("a") + b"Na"), "appends to"),
        "protocol 6": (b"\x80\x06N.", "protocol 6"),
        "protocol 0": (b"I1\n.", "INT"),
        "a dictionary": (whole(b"}"), "holds a dict"),
        "a name": (whole(SIZE), "torch.Size"),
        "no state": (root(), "storage_data"),
        "a file elsewhere": (one_tensor(places=outside), "own folder"),
        "an absolute file": (one_tensor(places=[((0,), storage("/etc/passwd"))]), "own folder"),
        "a file of no name": (one_tensor(places=[((0,), storage("a//b"))]), "own folder"),
        "a negative offset": (one_tensor(places=[((0,), storage(offset=-1))]), "at -1"),
        "a negative extent": (whole(size(-1)), "2^63"),
        "an extent of True": (whole(call(SIZE, sequence(b"\x88"))), "2^63"),
        "a size of a list": (whole(call(SIZE, listed(number(1)))), "torch.Size of list"),
        "2^64 elements": (one_tensor(shape=(2**32, 2**32)), "2^63 bytes"),
        "nine dimensions": (one_tensor(shape=(1,) * 9), "9 dimensions"),
        "a box outside": (one_tensor(chunks=[((2,), (3,))]), "leaves the tensor"),
        "a hole": (one_tensor(chunks=[((0,), (3,))]), "3 of 4"),
        "an overlap": (one_tensor(chunks=[((0,), (3,)), ((1,), (3,))]), "overlaps"),
        "hole and overlap that cancel": (
            one_tensor(shape=(6,), chunks=[((0,), (3,)), ((2,), (3,))]), "overlaps"),
        "boxes of other dimensions": (one_tensor(chunks=[((0, 0), (4, 1))]), "2 dimensions"),
        "a box stored nowhere": (one_tensor(places=[]), "nowhere"),
        "a box stored twice": (
            one_tensor(places=[((0,), storage()), ((0,), storage())]), "twice"),
        "a name that is no UTF-8": (one_tensor(fqn="\ud800"), "UTF-8"),
        "a quantized dtype": (one_tensor(dtype="qint8"), "torch.qint8"),
        "an unknown dtype": (one_tensor(dtype="float128"), "torch.float128"),
        "a sparse layout": (
            whole(call(named("torch.serialization", "_get_layout"), text("torch.sparse_coo"))), "sparse"),
        "no dtype": (
            root(storage_data=b"}", state_dict_metadata=table([(text("w"), made(
                METADATA, "TensorStorageMetadata", {"properties": properties("Size")}))])), "dtype"),
        "objects of other classes": (
            root(storage_data=table([(text("a"), storage())]), state_dict_metadata=b"}"), "MetadataIndex"),
        "an index of a number": (
            root(storage_data=table([(made(METADATA, "MetadataIndex", {"fqn": number(1)}), storage())]),
                 state_dict_metadata=b"}"), "kind int"),
        "transformed bytes": (
            root(state_dict_metadata=b"}", storage_data=table([(index("w"), made(
                f"{PACKAGE}.filesystem", "_StorageInfo",
                {"relative_path": text("a"), "offset": number(0), "length": number(1),
                 "transform_descriptors": listed(text("zstd"))}))])), "compressed"),
        "plans of no list": (one_tensor(all_local_plans=b"}"), "all_local_plans"),
        "no plans": (one_tensor(all_local_plans=b"]"), "all_local_plans"),
        "plans that are none": (one_tensor(all_local_plans=listed(storage())), "SavePlan"),
        "planner data of objects": (
            root(state_dict_metadata=b"}", storage_data=b"}", planner_data=storage()), "_StorageInfo"),
    }  # fmt: skip


def all_cases() -> Cases:
    cases: Cases = {}
    for part in (calls(), bombs(), lengths(), shapes()):
        assert not cases.keys() & part.keys()
        cases |= part
    return cases
