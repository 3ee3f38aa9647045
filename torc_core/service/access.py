"""Whether a caller may do what it asks: checked here for every way in, in the same turn that carries it out.

Without enforcement everybody may do everything but what worker tokens and plugins refuse. Groups, members and tokens
are kept all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from torc_core.contracts.access import ANONYMOUS, Principal, Resource, Verdict
from torc_core.contracts.storage import Condition
from torc_core.errors import Forbidden, Invalid, NotFound, Unauthorized
from torc_core.operations import Operation
from torc_core.records.access import GROUP_ADMIN, UserGroupMembership, WorkerToken, WorkflowAccessGroup
from torc_core.records.record import RECORDS, Record, WorkflowPart
from torc_core.records.resources import Workflow
from torc_core.service.clock import seconds_of
from torc_core.service.rights import Right, rule_of
from torc_core.service.targets import Target, nowhere, target_of
from torc_core.service.turn import of_workflow, with_ids

if TYPE_CHECKING:
    from torc_core.service.turn import Caller, Turn

OWNER, MEMBER, NOBODY = "owner", "member", ""
"""How somebody stands to a workflow; administrators stand like owners."""
_MOST_KNOWN = 100_000  # callers and workflows whose standing is remembered
_FOR_EVER = float("inf")
MAKE_ANOTHER = "Make another: torc server token create"
Authorize = Callable[[Principal, str, Resource], Verdict]


class Access:
    """The rules of one service. ``authorize`` asks plugins, None when there are none; ``reload`` reads users again."""

    def __init__(
        self,
        *,
        is_enforced: bool = False,
        administrators: Iterable[str] = (),
        authorize: Authorize | None = None,
        reload: Callable[[], int] | None = None,
    ) -> None:
        self.is_enforced = is_enforced
        self.administrators = frozenset(administrators)
        self.authorize = authorize
        self.reload = reload
        self.is_open = not is_enforced and authorize is None  # to all but bearers of worker tokens
        if ANONYMOUS in self.administrators:
            raise Invalid(f"{ANONYMOUS!r} cannot be an administrator: it stands for whoever has not logged in")

    def check(self, turn: Turn, op: Operation, arguments: dict[str, Any]) -> None:
        """Raise Forbidden, or NotFound for a workflow or record that is not there."""
        caller = turn.caller
        if self.is_open and not caller.token_id:
            return
        row = _row(op)
        workflow_ids = row.target(turn, arguments)
        if caller.token_id:
            _check_token(turn, row, workflow_ids)
        if self.authorize is not None:
            self._check_with_plugins(turn, row, arguments, workflow_ids)
        elif self.is_enforced:
            self._check_each(turn, row, arguments, workflow_ids)

    def _check_each(self, turn: Turn, row: _Row, arguments: dict[str, Any], workflow_ids: Sequence[int]) -> None:
        """Apply the built-in rule."""
        user, right = turn.caller.user, row.right
        if right is Right.WORKFLOW:
            for workflow_id in workflow_ids:
                if (user, workflow_id) not in turn.rights and not self.standing(turn, user, workflow_id):
                    raise _not_yours(turn.caller, row.op, workflow_id)
            if row.op.name == "update_workflow":
                self._check_handing_over(turn, arguments)
        elif not self._holds(turn, right, arguments):
            raise _refused(turn.caller, row.op, f"it is for {right.value}")

    def _holds(self, turn: Turn, right: Right, arguments: dict[str, Any]) -> bool:
        """Whether the caller has a right that is not about the use of one workflow."""
        user = turn.caller.user
        if right in (Right.OPEN, Right.SEEN):
            return True
        if right is Right.SHARE:
            standing = self.standing(turn, user, arguments["id"])
            is_admin = _is_group_admin(turn, user, arguments["group_id"])
            return standing == OWNER or (standing == MEMBER and is_admin)
        if not user or user == ANONYMOUS:
            return False
        if right is Right.LOGIN or user in self.administrators:
            return True
        if right is Right.SELF:
            return bool(user == arguments["user_name"])
        return right is Right.GROUP_ADMIN and _is_group_admin(turn, user, arguments["id"])

    def _check_handing_over(self, turn: Turn, arguments: dict[str, Any]) -> None:
        """Only the owner and administrators make somebody else the owner."""
        new, workflow_id, user = arguments["body"].get("user"), arguments["id"], turn.caller.user
        if new is not None and self.standing(turn, user, workflow_id) != OWNER and new != _owner(turn, workflow_id):
            raise Forbidden(
                f"{user} may not hand over workflow {workflow_id}", hint="Ask its owner or an administrator."
            )

    def _check_with_plugins(
        self, turn: Turn, row: _Row, arguments: dict[str, Any], workflow_ids: Sequence[int]
    ) -> None:
        """Ask plugins about each workflow; the built-in rule decides where none of them does."""
        assert self.authorize is not None
        principal = self._principal(turn.caller)
        for workflow_id in workflow_ids or (None,):
            if workflow_id is not None:
                _owner(turn, workflow_id)  # what is not there is not found, whoever asks
            resource = Resource(row.kind, arguments.get("id") if row.has_id else None, workflow_id)
            verdict = self.authorize(principal, row.op.name, resource)
            if verdict.allowed is False:
                raise _refused(turn.caller, row.op, verdict.reason)
            if verdict.allowed is None and self.is_enforced:
                self._check_each(turn, row, arguments, () if workflow_id is None else (workflow_id,))

    def _principal(self, caller: Caller) -> Principal:
        is_admin = caller.user in self.administrators
        return Principal(caller.user, caller.is_login, is_admin, caller.workflow_id or None)

    # standing

    def standing(self, turn: Turn, user: str, workflow_id: int) -> str:
        """Return how somebody stands to a workflow: OWNER, MEMBER or NOBODY; raises NotFound.

        What was found is remembered until members, links or owners change; that somebody is nobody is not.
        """
        known: str | None = turn.rights.get((user, workflow_id))
        if known is not None:
            return known
        found = self._find_standing(turn, user, workflow_id)
        if found:
            if len(turn.rights) >= _MOST_KNOWN:
                turn.rights.clear()
            turn.rights[user, workflow_id] = found
        return found

    def _find_standing(self, turn: Turn, user: str, workflow_id: int) -> str:
        owner = _owner(turn, workflow_id)
        if user in self.administrators:
            return OWNER
        if not user or user == ANONYMOUS:
            return NOBODY
        if user == owner:
            return OWNER
        groups = [id for (id,) in turn.rows(WorkflowAccessGroup, ("group_id",), of_workflow(workflow_id))]
        where = [Condition("group_id", "one_of", groups), Condition("user_name", "equal", user)]
        return MEMBER if groups and turn.storage.count(UserGroupMembership, where) else NOBODY

    # lists

    def visible(self, turn: Turn, kind: type[Record], workflow_id: int | None, user: str | None) -> list[Condition]:
        """Return what narrows a list to what the caller may see; ``user`` is the owner that was asked for, if any."""
        caller = turn.caller
        if workflow_id is not None or (self.is_open and not caller.token_id):
            return []
        if issubclass(kind, WorkflowPart):
            return self._parts_of_all(turn, kind)
        if kind is not Workflow:
            return []
        if caller.token_id:
            return with_ids([caller.workflow_id])
        if self.authorize is not None:
            return with_ids(self._seen_with_plugins(turn))
        if caller.user in self.administrators:
            return []
        if not caller.user or caller.user == ANONYMOUS:
            return with_ids([])
        mine = Condition("user", "equal", caller.user)
        if user == caller.user:
            return [mine]
        shared = _shared_with(turn, caller.user)
        if not shared:
            return [mine]
        return with_ids(sorted(shared.union(id for (id,) in turn.rows(Workflow, ("id",), [mine]))))

    def _parts_of_all(self, turn: Turn, kind: type[Record]) -> list[Condition]:
        """Parts of all workflows at once are for administrators, in this process only."""
        if turn.caller.token_id or turn.caller.user not in self.administrators:
            raise Forbidden(f"{turn.caller.user} may not list the {kind.PLURAL} of all workflows", hint="Name one.")
        return []

    def _seen_with_plugins(self, turn: Turn) -> list[int]:
        assert self.authorize is not None
        principal, user = self._principal(turn.caller), turn.caller.user
        shared = _shared_with(turn, user) if self.is_enforced else set()
        seen = []
        for id, owner in turn.rows(Workflow, ("id", "user")):
            allowed = self.authorize(principal, "get_workflow", Resource(Workflow.PLURAL, id, id)).allowed
            if allowed is None:
                is_mine = user == owner and user != ANONYMOUS
                allowed = not self.is_enforced or principal.is_admin or is_mine or id in shared
            if allowed:
                seen.append(id)
        return seen


class _Row(NamedTuple):
    """What is known about an operation before it is asked for."""

    op: Operation
    right: Right
    worker: bool
    target: Target
    kind: str
    has_id: bool


_ROWS: dict[str, _Row] = {}


def _row(op: Operation) -> _Row:
    row = _ROWS.get(op.name)
    if row is None:
        rule = rule_of(op)
        target = target_of(op)
        if rule is None or (target is nowhere and rule.right is Right.WORKFLOW):
            raise Forbidden(f"{op.name} has no access rule, and so is closed", hint="Report this.")
        first = op.path.split("/")[1]
        kind = first if first in RECORDS else op.tag
        row = _ROWS[op.name] = _Row(op, *rule, target, kind, any(p.name == "id" for p in op.parameters))
    return row


def _check_token(turn: Turn, row: _Row, workflow_ids: Sequence[int]) -> None:
    """Refuse what a worker token is not enough for, and tokens that have ended."""
    caller = turn.caller
    if not row.worker:
        raise Forbidden(f"a worker token is not enough for {row.op.name}", hint="Log in with your name and password.")
    if any(workflow_id != caller.workflow_id for workflow_id in workflow_ids):
        raise Forbidden(f"this worker token is for workflow {caller.workflow_id} only")
    key = ("token", caller.token_id)
    ends = turn.rights.get(key)
    if ends is None:
        ends = turn.rights[key] = _end_of(turn, caller.token_id)
    if ends <= turn.now / 1000:
        raise Unauthorized("this worker token has expired or was revoked", hint=MAKE_ANOTHER)


def _end_of(turn: Turn, token_id: int) -> float:
    """Return when a token ends, in seconds since 1970; 0 when it is gone."""
    for (expires_at,) in turn.rows(WorkerToken, ("expires_at",), with_ids([token_id])):
        return _FOR_EVER if expires_at is None else seconds_of(expires_at)
    return 0.0


def _owner(turn: Turn, workflow_id: int) -> str:
    for (owner,) in turn.rows(Workflow, ("user",), with_ids([workflow_id])):
        return str(owner or "")
    raise NotFound(f"there is no workflow with id {workflow_id}", id=workflow_id)


def _shared_with(turn: Turn, user: str) -> set[int]:
    """Return the workflows that are open to somebody through groups."""
    groups = [id for (id,) in turn.rows(UserGroupMembership, ("group_id",), [Condition("user_name", "equal", user)])]
    if not groups:
        return set()
    links = turn.rows(WorkflowAccessGroup, ("workflow_id",), [Condition("group_id", "one_of", groups)])
    return {id for (id,) in links}


def _is_group_admin(turn: Turn, user: str, group_id: int) -> bool:
    where = [Condition("group_id", "equal", group_id), Condition("user_name", "equal", user)]
    return any(role == GROUP_ADMIN for (role,) in turn.rows(UserGroupMembership, ("role",), where))


def _refused(caller: Caller, op: Operation, why: str) -> Forbidden:
    who = "whoever has not logged in" if caller.user in ("", ANONYMOUS) else caller.user
    hint = "Log in, with --password or TORC_PASSWORD." if who != caller.user else ""
    return Forbidden(f"{who} may not do this ({op.name}): {why}", hint=hint)


def _not_yours(caller: Caller, op: Operation, workflow_id: int) -> Forbidden:
    error = _refused(caller, op, f"workflow {workflow_id} belongs to somebody else")
    error.hint = error.hint or "Ask its owner for access: torc access-groups add-workflow"
    error.details["id"] = workflow_id
    return error
