"""The roles that the server's login must be able to take, and the GRANT that it lacks."""

from __future__ import annotations

from locaria.web.access.identity import DATABASE_ROLES

ROLES = (*DATABASE_ROLES.values(), "locaria_web")
"""Each request runs under the role of its client; what is common to all under locaria_web."""

# Since PostgreSQL 16 a member may SET ROLE only if its membership says so. The creator of a role
# gets a membership that does not, which a plain GRANT by a superuser would leave as it is.
MISSING_GRANT = """
with server as (
  select current_setting('server_version_num')::int >= 160000 as has_set_option
),
wanted as (
  select w.role, w.n, g.oid is null as is_absent,
    coalesce(
      pg_has_role(session_user, g.oid, case when s.has_set_option then 'SET' else 'MEMBER' end),
      false
    ) as can_set
  from unnest(%s::text[]) with ordinality as w (role, n)
  cross join server s
  left join pg_roles g on g.rolname = w.role
)
select session_user as login,
  array_agg(w.role order by w.n) filter (where w.is_absent) as absent,
  array_agg(w.role order by w.n) filter (where not w.can_set) as missing,
  'grant ' || string_agg(quote_ident(w.role), ', ' order by w.n) filter (where not w.can_set)
    || ' to ' || quote_ident(session_user)
    || case when s.has_set_option then ' with set true' else '' end as "grant"
from wanted w cross join server s
group by s.has_set_option
"""
"""One row for the array `ROLES`: `login`; the roles that are `absent` from the cluster, and those
`missing` that the login can't take, or null; the statement that a DBA runs to `grant` them."""
