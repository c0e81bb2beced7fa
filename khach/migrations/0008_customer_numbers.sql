-- Owner: dbt_project (identity_ledger, which a first run makes). Customers are kept as numbers, which
-- take a tenth of the time to write and to read; C0000001 is what 1 reads like.
alter table if exists identity_ledger rename customer_id to customer_number;

alter table if exists identity_ledger
alter column customer_number type bigint using cast(substr(customer_number, 2) as bigint);

alter table if exists identity_ledger rename other_customer_id to other_customer_number;

alter table if exists identity_ledger
alter column other_customer_number type bigint using cast(substr(other_customer_number, 2) as bigint);
