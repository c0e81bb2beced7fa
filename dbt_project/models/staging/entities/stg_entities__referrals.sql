{{ config(
    enabled=is_staged('referrals'),
    unique_key=['source', 'referral_id'],
    meta={'raw_table': 'referrals'},
) }}

{{ latest_rows('referrals', keys=['referral_id'], order_by=['updated_at']) }}
