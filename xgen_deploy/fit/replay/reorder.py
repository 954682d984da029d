"""The order in which Vulkan computes the operations of a split: independent ones side by side,
fused ones one after another. As ggml-vulkan.cpp, `ggml_vk_graph_optimize`.
"""

from collections.abc import Sequence

from xgen_deploy.fit.replay.graph import Node

_AHEAD = 20
_FOR_ROPE = 15
_FOR_STORE = 10
# What follows the one before it in the same step.
_FUSED = {
    ("norm", "mul"),
    ("mul_mat", "add"),
    ("mul_mat_id", "add"),
    ("mul_mat_id", "mul"),
    ("add", "add"),
}
_ROUTERS = (
    ("softmax", "view", "argsort", "view", "get_rows", "view", "sum_rows", "clamp", "div", "view"),
    ("softmax", "view", "argsort", "view", "get_rows"),
    ("argsort", "view", "get_rows", "view", "softmax", "view"),
)


def reordered(nodes: Sequence[Node]) -> list[Node]:
    return _Order(nodes).run()


class _Order:
    def __init__(self, nodes: Sequence[Node]) -> None:
        self._nodes = nodes
        self._used = [False] * len(nodes)
        self._order: list[Node] = []
        self._first = 0

    def run(self) -> list[Node]:
        while self._first < len(self._nodes):
            if not self._kept_together():
                self._step()
            while self._first < len(self._nodes) and self._used[self._first]:
                self._first += 1
        return self._order

    def _matches(self, pattern: Sequence[str], start: int) -> bool:
        if start + len(pattern) > len(self._nodes):
            return False
        return self._nodes[start].op == pattern[0] and all(
            self._nodes[start + j].op == op and not self._used[start + j]
            for j, op in enumerate(pattern)
        )

    def _kept_together(self) -> bool:
        for pattern in _ROUTERS:
            if self._matches(pattern, self._first):
                for j in range(self._first, self._first + len(pattern)):
                    self._order.append(self._nodes[j])
                    self._used[j] = True
                return True
        return False

    def _step(self) -> None:
        chosen = [self._first]
        end = min(self._first + _AHEAD, len(self._nodes))
        for j in range(self._first + 1, end):
            if self._used[j] or self._nodes[j].op == "view":
                continue
            if any(self._matches(pattern, j) for pattern in _ROUTERS):
                continue
            if self._may_come(j, chosen):
                chosen.append(j)
                self._with_followers(j, chosen)
        if self._nodes[chosen[-1]].op != "add":
            self._views(end, chosen)
        for c in chosen:
            self._order.append(self._nodes[c])
            self._used[c] = True

    def _may_come(self, j: int, chosen: list[int]) -> bool:
        for c in range(self._first, j):
            if self._used[c] or not _needs(self._nodes[j], self._nodes[c]):
                continue
            follows = j == c + 1 and c == chosen[-1]
            if not (follows and (self._nodes[c].op, self._nodes[j].op) in _FUSED):
                return False
        return True

    def _with_followers(self, j: int, chosen: list[int]) -> None:
        nodes, rope = self._nodes, j
        if nodes[j].op == "mul" and nodes[j - 1].op == "norm":
            for k in range(j + 1, min(j + _FOR_ROPE, len(nodes))):
                if nodes[k].op == "rope" and nodes[k].srcs[0] is nodes[j]:
                    rope = k
                    chosen.append(k)
                    self._used[k] = True
                    break
        if nodes[rope].op == "rope":
            self._with_store(rope, chosen)
        if nodes[j].op == "add" and nodes[j - 1].op == "mul_mat_id":
            for k in range(j + 1, min(j + _FOR_ROPE, len(nodes))):
                if nodes[k].op == "mul" and nodes[k].srcs[0] is nodes[j]:
                    chosen.append(k)
                    self._used[k] = True
                    break

    def _with_store(self, rope: int, chosen: list[int]) -> None:
        nodes, at = self._nodes, None
        for k in range(rope + 1, min(rope + _FOR_STORE, len(nodes))):
            if at is None:
                if nodes[k].op == "view" and nodes[k].srcs[0] is nodes[rope]:
                    at = k
            elif nodes[k].op == "set_rows" and nodes[k].srcs[0] is nodes[at]:
                chosen += [at, k]
                self._used[at] = self._used[k] = True
                return

    def _views(self, end: int, chosen: list[int]) -> None:
        for j in range(self._first + 1, end):
            if self._used[j] or self._nodes[j].op != "view":
                continue
            waits = any(
                not self._used[c] and c not in chosen and _needs(self._nodes[j], self._nodes[c])
                for c in range(self._first, j)
            )
            if not waits:
                chosen.append(j)


def _needs(node: Node, other: Node) -> bool:
    return other in node.srcs or (node.view_of or node) is (other.view_of or other)
