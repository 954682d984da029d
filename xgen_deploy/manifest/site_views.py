"""A manifest as it is for the site as a whole, and for each host: their variables may differ."""

from dataclasses import dataclass, field

from xgen_deploy.manifest.diagnostics import Problem, Problems, nearest
from xgen_deploy.manifest.inventory.group_vars import add_vars_beside
from xgen_deploy.manifest.inventory.hosts import Hosts
from xgen_deploy.manifest.inventory.load import Variables
from xgen_deploy.manifest.node import MapNode, Node, plain
from xgen_deploy.manifest.sections import Sections, read_sections
from xgen_deploy.manifest.substitute import Substitution, has_variables, undefined
from xgen_deploy.manifest.variables import (
    KEY,
    OPTION,
    host_variables,
    places_of,
    site_variables,
)
from xgen_deploy.state.instance_config import Mark

# Sections whose values are each host's; all others belong to no host.
_OF_HOSTS = frozenset({"defaults", "models", "hosts"})
Used = dict[Mark, tuple[str, Mark]]


@dataclass
class SiteViews:
    """`written` is the merged tree, `given` are the variables of the command line. Of a manifest
    without variables every view is the same. `used`: where a variable stands -> its name and where
    its value was stated."""

    written: MapNode
    given: Variables
    hosts: Hosts
    problems: Problems
    used: Used = field(default_factory=dict)
    whole: Sections = field(init=False)
    _vary: bool = field(init=False)
    _by_values: dict[str, Sections] = field(default_factory=dict)

    def __post_init__(self) -> None:
        variables: Variables = {}
        self._vary = has_variables(self.written)
        if self._vary:
            if self.hosts.inventory is not None:
                add_vars_beside(self.hosts.inventory, set(), self.hosts.files, self.problems)
            variables = site_variables(self.hosts.inventory, self.problems) | self.given
        tree = self._substituted(self.written, variables)
        self._refuse_undefined(tree)
        self.whole = read_sections(tree, self.hosts.words, self.problems)

    def of(self, host: str) -> Sections:
        if not self._vary:
            return self.whole
        variables = self.variables(host)
        values = repr([(k, plain(e.node), e.mark) for k, e in sorted(variables.items())])
        if values not in self._by_values:
            own = {k: e for k, e in self.written.entries.items() if k in _OF_HOSTS}
            tree = self._substituted(MapNode(own, self.written.mark), variables)
            tree = MapNode(self.whole.written.entries | tree.entries, self.written.mark)
            self._by_values[values] = read_sections(tree, self.hosts.words, self.problems)
        return self._by_values[values]

    def variables(self, host: str) -> Variables:
        """Those of a host, with the command line's over them."""
        return host_variables(self.hosts.inventory, host, self.problems) | self.given

    def used_on(self, host: str) -> Used:
        """The same with the values that one host has."""
        own = self.variables(host)
        return {at: (n, own[n].mark) for at, (n, _) in self.used.items() if n in own}

    def all(self) -> tuple[Sections, ...]:
        return (self.whole, *self._by_values.values())

    def _substituted(self, tree: MapNode, variables: Variables) -> MapNode:
        if not self._vary:
            return tree
        substitution = Substitution(variables, self.problems)
        tree = substitution.tree(tree)
        self.used = substitution.used | self.used
        return tree

    def _refuse_undefined(self, tree: MapNode) -> None:
        """In what belongs to no host."""
        for section, entry in tree.entries.items():
            for node in undefined(entry.node) if section not in _OF_HOSTS else ():
                name = node.text[2:-1]
                owners = places_of(self.hosts.inventory, name)
                why = (
                    f"`{section}` belongs to no host, so only {OPTION} and the {KEY} of the group "
                    f"`all` count there; {', '.join(owners)} state it"
                    if owners
                    else self.undefined_message(name, "")
                )
                self.problems.add(node.mark, f"`{node.text}`: {why}" if owners else why)

    def refuse_undefined(self, node: Node, host: str) -> None:
        """In what `host` is to run."""
        for value in undefined(node):
            self.problems.add(value.mark, self.undefined_message(value.text[2:-1], host))

    def undefined_message(self, name: str, host: str) -> str:
        known = (
            {*self.given, *host_variables(self.hosts.inventory, host, Problems())}
            if host
            else {*self.given}
        )
        on = f" for {host}" if host else ""
        return (
            f"no variable `{name}`{on}: state it under `{KEY}:` in the inventory, or with "
            f"`{OPTION} {name}=VALUE`.{nearest(name, known)} (The text itself is `$${{{name}}}`.)"
        )

    def explain(self) -> None:
        """Says at the problems of a value which variable it came from."""
        places = {(m.file, m.line, m.column): use for m, use in self.used.items()}
        for at, problem in enumerate(self.problems.found):
            use = places.get((problem.file, problem.line, problem.column))
            if use is not None and "found " in problem.message:
                message = f"{problem.message} (`${{{use[0]}}}`, from {use[1]})"
                self.problems.found[at] = Problem(
                    problem.file, problem.line, problem.column, message
                )

    def warn_of_unused(self) -> None:
        names = {name for name, _ in self.used.values()}
        for name, entry in self.given.items():
            if name not in names and entry.mark.file.startswith(f"{OPTION} "):
                self.problems.warn(entry.mark, f"the manifest has no `${{{name}}}`")
