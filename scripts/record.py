# SPDX-License-Identifier: Apache-2.0
"""Records how a training job is sharded. Copy this one file beside a training script; it needs
PyTorch (1.13 or 2.x) and nothing else.

    import record

    planner = record.planner("job.record")                      # or record.planner(FILE, MyPlanner())
    dcp.save(state_dict, checkpoint_id=..., planner=planner)    # as before, on all ranks

The planner keeps what DCP's plan of all ranks says, copies included: which boxes of which tensors each rank
holds, and who writes them. The save itself pays for a reference. The file is written on the coordinator
when the process ends, or by `planner.write_record()`, its folder too where it is missing; `scripts/job from-record` makes a
job file of it.

    problems = record.conform(state_dict)                       # on all ranks

plays Shardmark's rules over the hooks of the tensor types in there (`__create_write_items__`,
`__create_chunk_list__`, `__get_tensor_shard__`): boxes that overlap, leave holes or leave their tensor, hooks
that disagree, views that are copies or have another size. Empty: all rules hold.
"""

import atexit
import dataclasses
import functools
import json
import math
import multiprocessing.util
import os

if __name__ == "__main__":  # whoever runs it wants to know how it is used, which takes no PyTorch
    print(__doc__)
    raise SystemExit(0)

import torch
import torch.distributed as dist

VERSION = 1
OLD = torch.__version__.startswith("1.")


def _default_planner():
    if OLD:
        from torch.distributed._shard.checkpoint.default_planner import DefaultSavePlanner
    else:
        from torch.distributed.checkpoint import DefaultSavePlanner
    return DefaultSavePlanner()


# Recording


def planner(path, inner=None):
    """A save planner that records: `inner` (DCP's default one) with two of its methods wrapped. It can be
    pickled if `inner` can, for saves by a process of their own."""
    inner = inner or _default_planner()
    recorder = _Recorder(path)
    inner.create_local_plan = functools.partial(_create_local_plan, inner, recorder)
    inner.create_global_plan = functools.partial(_create_global_plan, inner, recorder)
    inner.write_record = recorder.write
    return inner


def _create_local_plan(inner, recorder):
    plan = type(inner).create_local_plan(inner)
    return recorder.with_copies(plan, inner.state_dict) if OLD else plan


def _create_global_plan(inner, recorder, plans):
    plans, copies = recorder.without_copies(plans) if OLD else (plans, [])
    before = list(plans)  # DCP drops copies from the list that it is given
    answer = type(inner).create_global_plan(inner, plans)
    recorder.keep(before, copies, answer[0])
    return answer


_kept = {}  # file: the latest plan that it is to tell of


class _Recorder:
    def __init__(self, path):
        self._path = os.path.abspath(path)

    # Torch 1.13 plans whole tensors and objects on the coordinator alone, so each rank tells of its own.

    def with_copies(self, plan, state_dict):
        planned = {item.index.fqn for item in plan.items}
        copies = [
            (fqn, *_whole_tensor(value)) for fqn, value in state_dict.items()
            if fqn not in planned and not hasattr(value, "local_shards")
        ]  # fmt: skip
        return dataclasses.replace(plan, planner_data=(plan.planner_data, copies))

    def without_copies(self, plans):
        copies = [plan.planner_data[1] for plan in plans]
        return [dataclasses.replace(p, planner_data=p.planner_data[0]) for p in plans], copies

    def keep(self, plans, copies, assigned):
        if self._path not in _kept:
            atexit.register(self.write)
            multiprocessing.util.Finalize(None, self.write, exitpriority=10)  # its children skip atexit
            _kept[self._path] = None
        if all(getattr(plan, "usable", True) for plan in [*plans, *assigned]):
            _kept[self._path] = plans, copies, assigned

    def write(self):
        """Writes the file, if a save was planned since the last call. On other ranks than the
        coordinator, nothing. Returns the path or None."""
        kept = _kept.get(self._path)
        if kept is None:
            return None
        _kept[self._path] = None
        os.makedirs(os.path.dirname(self._path), exist_ok=True)
        partial = f"{self._path}.{os.getpid()}.partial"
        with open(partial, "w", encoding="utf-8") as file:
            head = {"format": "shardmark record", "version": VERSION, "world_size": len(kept[0]),
                    "torch": torch.__version__}  # fmt: skip
            file.write(json.dumps(head) + "\n")
            for entry in _entries(*kept):
                file.write(json.dumps(entry, separators=(",", ":")) + "\n")
        os.replace(partial, self._path)
        return self._path


def _dtype_name(dtype):
    return str(dtype).removeprefix("torch.")


def _whole_tensor(value):
    """(dtype, shape) of a plain tensor, (None, None) of an object."""
    if isinstance(value, torch.Tensor):
        return _dtype_name(value.dtype), tuple(value.shape)
    return None, None


def _runs(ranks):
    """[[first, count, step]] of ascending ranks."""
    runs = []
    for rank in ranks:
        if runs:
            first, count, step = runs[-1]
            step = rank - first if count == 1 else step
            if rank == first + count * step:
                runs[-1] = [first, count + 1, step]
                continue
        runs.append([rank, 1, 0])
    return runs


def _box(item):
    data = item.tensor_data
    return None if data is None else (tuple(data.chunk.offsets), tuple(data.chunk.sizes))


def _entries(plans, copies, assigned):
    """One dictionary an entry: its boxes, each with the ranks that hold it and the one that writes."""
    found = {}  # fqn: (dtype, shape, {box: holders}); objects: (None, None, {None: holders})
    for rank, plan in enumerate(plans):
        for item in plan.items:
            entry = found.get(item.index.fqn)
            if entry is None:
                data = item.tensor_data
                kind = (None, None) if data is None else (_dtype_name(data.properties.dtype), tuple(data.size))
                entry = found[item.index.fqn] = (*kind, {})
            entry[2].setdefault(_box(item), []).append(rank)
    for rank, mine in enumerate(copies):
        for fqn, dtype, shape in mine:
            entry = found.setdefault(fqn, (dtype, shape, {}))
            box = None if shape is None else ((0,) * len(shape), shape)
            entry[2].setdefault(box, []).append(rank)
    writers = {
        (item.index.fqn, _box(item)): rank
        for rank, plan in enumerate(assigned) for item in plan.items
    }  # fmt: skip
    for fqn, (dtype, shape, boxes) in found.items():
        if dtype is None:
            holders = sorted(set(boxes[None]))
            yield {"fqn": fqn, "holders": _runs(holders), "writer": writers.get((fqn, None))}
            continue
        listed = [
            [[*box[0], *box[1]], _runs(sorted(set(ranks))), writers.get((fqn, box))]
            for box, ranks in boxes.items() if 0 not in box[1]
        ]  # fmt: skip
        yield {"fqn": fqn, "dtype": dtype, "shape": list(shape), "boxes": listed}


# The rules


def conform(state_dict, group=None):
    """Collective where torch.distributed is initialised. The problems found, as text, on every rank."""
    problems, mine = [], {}
    for fqn, value in _flat(state_dict):
        try:
            shape, dtype, boxes = _local_rules(fqn, value, problems)
        except Exception as error:  # a hook may raise anything: that is a finding
            problems.append(f"'{fqn}': its hooks raise {type(error).__name__}: {error}")
            continue
        if shape is not None:
            mine[fqn] = tuple(shape), str(dtype), boxes
    told = [(problems, mine)]
    if dist.is_available() and dist.is_initialized() and dist.get_world_size(group) > 1:
        told = [None] * dist.get_world_size(group)
        dist.all_gather_object(told, (problems, mine), group=group)
    found = [f"rank {rank}: {problem}" for rank, (theirs, _) in enumerate(told) for problem in theirs]
    return found + _global_rules([entries for _, entries in told])


def _flat(value, path=()):
    """(name, value) of a nested state dict, as DCP names them."""
    if isinstance(value, dict) and (value or not path):
        for key, inner in value.items():
            yield from _flat(inner, (*path, str(key)))
    else:
        yield ".".join(path), value


def _local_rules(fqn, value, problems):
    """(global shape, dtype, [(offsets, sizes)]) of what this rank holds; (None, None, []) of no tensor."""
    if hasattr(value, "__create_write_items__"):
        return _hook_rules(fqn, value, problems)
    if hasattr(value, "local_shards"):
        metadata = value.metadata()
        for shard in value.local_shards():
            sizes = tuple(shard.metadata.shard_sizes)
            if tuple(shard.tensor.shape) != sizes:
                problems.append(f"'{fqn}': the view of box {sizes} has shape {tuple(shard.tensor.shape)}")
        boxes = [(tuple(s.metadata.shard_offsets), tuple(s.metadata.shard_sizes)) for s in value.local_shards()]
        return metadata.size, metadata.tensor_properties.dtype, boxes
    if isinstance(value, torch.Tensor):
        return value.shape, value.dtype, [((0,) * value.dim(), tuple(value.shape))]
    return None, None, []


def _hook_rules(fqn, value, problems):
    items = value.__create_write_items__(fqn, value)
    if not items:
        return None, None, []
    boxes = [_box(item) for item in items]
    listed = [(tuple(c.offsets), tuple(c.sizes)) for c in value.__create_chunk_list__()]
    if listed != boxes:
        problems.append(f"'{fqn}': chunk list {listed} is not the boxes of its write items {boxes}")
    for item, (offsets, sizes) in zip(items, boxes):
        if item.index.fqn != fqn or tuple(item.index.offset) != offsets:
            problems.append(f"'{fqn}': the item of box {offsets} is for '{item.index.fqn}' {item.index.offset}")
        first, second = (value.__get_tensor_shard__(item.index) for _ in range(2))
        if tuple(first.shape) != sizes:
            problems.append(f"'{fqn}': the view of box {sizes} at {offsets} has shape {tuple(first.shape)}")
        elif math.prod(sizes) and first.data_ptr() != second.data_ptr():
            problems.append(f"'{fqn}': two views of box {sizes} at {offsets} are different memory: a copy")
        if first.dtype != item.tensor_data.properties.dtype:
            problems.append(f"'{fqn}': the view at {offsets} is {first.dtype}, its item says otherwise")
    data = items[0].tensor_data
    return data.size, data.properties.dtype, boxes


def _global_rules(worlds):
    problems = []
    for fqn in sorted({fqn for entries in worlds for fqn in entries}):
        told = [(rank, entries[fqn]) for rank, entries in enumerate(worlds) if fqn in entries]
        first_rank, (shape, dtype, _) = told[0]
        boxes = {}
        for rank, (other_shape, other_dtype, theirs) in told:
            if (other_shape, other_dtype) != (shape, dtype):
                problems.append(f"'{fqn}': {other_dtype} {other_shape} on rank {rank}, "
                                f"{dtype} {shape} on rank {first_rank}")  # fmt: skip
            for box in theirs:
                boxes.setdefault(box, rank)
        problems += _cover_problems(fqn, shape, boxes)
    return problems


def _cover_problems(fqn, shape, ranks):
    """`ranks`: one holder of every distinct box."""
    problems, whole = [], []
    for (offsets, sizes), rank in ranks.items():
        bad = len(offsets) != len(shape) or any(
            o < 0 or s < 0 or o + s > n for o, s, n in zip(offsets, sizes, shape)
        )
        if bad:
            problems.append(f"'{fqn}': box {sizes} at {offsets} of rank {rank} leaves the tensor {tuple(shape)}")
        elif 0 not in sizes:
            whole.append((offsets, sizes))
    if problems:
        return problems
    for a, b in _overlaps(sorted(whole)):
        return [f"'{fqn}': box {b[1]} at {b[0]} of rank {ranks[b]} overlaps "
                f"box {a[1]} at {a[0]} of rank {ranks[a]}"]  # fmt: skip
    covered = sum(math.prod(sizes) for _, sizes in whole)
    if covered != math.prod(shape):
        return [f"'{fqn}': hole: its boxes hold {covered} of {math.prod(shape)} elements"]
    return []


def _overlaps(boxes):
    """Pairs of boxes, by offsets ascending, that share elements: a sweep along the first dimension."""
    under_way = []
    for box in boxes:
        offsets, sizes = box
        if offsets:
            under_way = [b for b in under_way if b[0][0] + b[1][0] > offsets[0]]
        for other in under_way:
            if all(o < p + t and p < o + s for o, s, p, t in zip(offsets, sizes, *other)):
                yield other, box
        under_way.append(box)
