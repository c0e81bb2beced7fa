-- Owner: khach.configuration. The present of the run that met a version (the sandbox's own there),
-- and what became of its keys; null for versions that an older release met.
alter table configuration_versions add column as_of timestamp;

alter table configuration_versions add column summary varchar;
