{{ config(
    enabled=is_staged('loyalty_enrolments'),
    unique_key=['source', 'enrolment_id'],
    meta={'raw_table': 'loyalty_enrolments'},
) }}

{{ latest_rows('loyalty_enrolments', keys=['enrolment_id'], order_by=['updated_at']) }}
