{{ config(
    enabled=is_staged('coupon_redemptions'),
    unique_key=['source', 'redemption_id'],
    meta={'raw_table': 'coupon_redemptions'},
) }}

{{ latest_rows('coupon_redemptions', keys=['redemption_id'], order_by=['updated_at']) }}
