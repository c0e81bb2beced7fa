{#
    The columns of each raw table, with their types, written as in docs/architecture.md:
    v varchar, t timestamp, d date, i integer, l bigint, n decimal(18,4), b boolean, j JSON text;
    REF and ROW are the columns that many tables share. The tables of the `files` and `sql`
    sources are our entities; a vendor's own tables are called `<vendor>.<table>`.
#}
{% macro raw_columns(table) -%}
    {%- set types = {
        'v': 'varchar', 't': 'timestamp', 'd': 'date', 'i': 'integer', 'l': 'bigint',
        'n': 'decimal(18, 4)', 'b': 'boolean', 'j': 'varchar',
    } -%}
    {%- set shared = {
        'REF': 'user_id v, member_number v, external_id v, email v, phone v, anonymous_id v',
        'ROW': '_file v, _row l, _is_kept b, _is_deleted b',
    } -%}
    {%- set tables = {
        'customers': 'record_id v, REF, full_name v, given_name v, family_name v, birth_date d,'
            ~ ' birth_date_text v, birth_year i, age_band v, gender v, national_id v,'
            ~ ' marital_status v, occupation v, income_band v, country v, province v, city v,'
            ~ ' ward v, postal_code v, address v, loyalty_tier v, loyalty_enrolled_at t,'
            ~ ' preferred_size v, created_at t, updated_at t, ROW',
        'products': 'product_id v, sku v, product_name v, category v, brand v, price n,'
            ~ ' currency v, updated_at t, ROW',
        'stores': 'store_id v, store_name v, province v, updated_at t, ROW',
        'orders': 'order_id v, channel v, store_id v, REF, full_name v, cart_id v,'
            ~ ' coupon_code v, ordered_at t, status v, country v, province v, currency v,'
            ~ ' updated_at t, ROW',
        'order_lines': 'order_line_id v, order_id v, product_id v, product_name v, units n,'
            ~ ' unit_price n, discount n, line_amount n, currency v, updated_at t, channel v,'
            ~ ' store_id v, REF, ordered_at t, status v, country v, province v, ROW',
        'payments': 'payment_id v, order_id v, method v, amount n, currency v, paid_at t, ROW',
        'refunds': 'refund_id v, order_id v, amount n, currency v, refunded_at t, ROW',
        'consents': 'consent_id v, REF, channel v, purpose v, is_granted b, occurred_at t,'
            ~ ' text_version v, ROW',
        'campaigns': 'campaign_id v, channel v, campaign_name v, audience v, started_at t,'
            ~ ' cost n, currency v, ROW',
        'experiments': 'experiment_id v, campaign_id v, REF, experiment_group v,'
            ~ ' holdout_share n, assigned_at t, ROW',
        'survey_responses': 'response_id v, REF, survey v, kind v, channel v, order_id v, score n,'
            ~ ' scale_min n, scale_max n, satisfied_score n, comment v, answers j, answered_at t,'
            ~ ' updated_at t, ROW',
        'conversations': 'conversation_id v, REF, full_name v, channel v, initiated_by v, status v,'
            ~ ' topic v, content_class v, sentiment v, agent v, order_id v, campaign_id v,'
            ~ ' opened_at t, first_answered_at t, closed_at t, updated_at t, ROW',
        'messages': 'message_id v, conversation_id v, REF, channel v, direction v,'
            ~ ' content_class v, body v, agent v, campaign_id v, sent_at t, updated_at t, ROW',
        'calls': 'call_id v, REF, direction v, purpose v, is_answered b, duration_seconds i,'
            ~ ' outcome v, agent v, content_class v, conversation_id v, campaign_id v, order_id v,'
            ~ ' started_at t, updated_at t, ROW',
        'leads': 'lead_id v, REF, full_name v, traffic_source v, stage v, lead_score n, outcome v,'
            ~ ' owner v, amount n, currency v, expected_close_on d, created_at t, contacted_at t,'
            ~ ' updated_at t, ROW',
        'appointments': 'appointment_id v, REF, full_name v, channel v, store_id v, purpose v,'
            ~ ' status v, agent v, booked_at t, starts_at t, updated_at t, ROW',
        'offers': 'offer_id v, offer_code v, offer_name v, campaign_id v, valid_from t,'
            ~ ' valid_to t, updated_at t, ROW',
        'coupon_redemptions': 'redemption_id v, offer_id v, REF, order_id v, campaign_id v,'
            ~ ' store_id v, discount n, currency v, redeemed_at t, updated_at t, ROW',
        'loyalty_enrolments': 'enrolment_id v, REF, full_name v, programme v, tier v,'
            ~ ' enrolled_at t, left_at t, updated_at t, ROW',
        'referrals': 'referral_id v, REF, full_name v, referrer_user_id v,'
            ~ ' referrer_member_number v, referrer_external_id v, referrer_email v,'
            ~ ' referrer_phone v, referral_code v, referred_at t, updated_at t, ROW',
        'email_events': 'email_event_id v, campaign_id v, REF, kind v, url v, occurred_at t, ROW',
        'sessions': 'session_id v, user_id v, anonymous_id v, started_at t, ended_at t,'
            ~ ' event_count l, page_view_count l, product_view_count l, traffic_source v, medium v,'
            ~ ' campaign v, landing_path v, device_type v, visitor_type v, has_order b,'
            ~ ' features j, updated_at t, ROW',
        'segment.events': 'message_id v, type v, event v, anonymous_id v, user_id v,'
            ~ ' previous_id v, occurred_at t, sent_at t, received_at t, properties j, traits j,'
            ~ ' context j, _file v, _row l',
        'snowplow.events': 'event_id v, event_type v, event_name v, user_id v, domain_userid v,'
            ~ ' network_userid v, domain_sessionid v, occurred_at t, collector_tstamp t,'
            ~ ' page_url v, page_urlpath v, page_referrer v, mkt_source v, mkt_medium v,'
            ~ ' mkt_campaign v, se_action v, tr_orderid v, tr_total v, ti_sku v, ti_name v,'
            ~ ' ti_category v, dvce_type v, br_lang v, unstruct_event j, action j, products j,'
            ~ ' cart j, purchase j, checkout j, shopper j, _file v, _row l',
        'ga4.events': 'event_id v, event_name v, occurred_at t, user_pseudo_id v, user_id v,'
            ~ ' event_params j, device j, collected_traffic_source j, ecommerce j, items j,'
            ~ ' _file v, _row l',
        'mailchimp.lists': 'list_id v, name v',
        'mailchimp.members': 'list_id v, member_id v, email_address v, full_name v, status v,'
            ~ ' timestamp_opt t, last_changed t, merge_fields j, tags j',
        'mailchimp.campaigns': 'campaign_id v, list_id v, title v, subject_line v, status v,'
            ~ ' send_time t, emails_sent l',
        'mailchimp.sent_to': 'campaign_id v, member_id v, email_address v, status v,'
            ~ ' open_count l, last_open t',
        'mailchimp.email_activity': 'campaign_id v, member_id v, email_address v, action v,'
            ~ ' activity_type v, url v, occurred_at t',
        'mailchimp.unsubscribes': 'campaign_id v, member_id v, email_address v, reason v,'
            ~ ' occurred_at t',
        'mailchimp.merge_fields': 'list_id v, merge_id v, tag v, name v, type v, required b,'
            ~ ' default_value v, _file v, _row l',
        'mailchimp.segments': 'segment_id v, list_id v, name v, type v, member_count l,'
            ~ ' created_at t, updated_at t, options j, _file v, _row l',
        'mailchimp.segment_members': 'segment_id v, list_id v, member_id v, email_address v,'
            ~ ' status v, _file v, _row l',
        'mailchimp.click_details': 'campaign_id v, link_id v, url v, total_clicks l,'
            ~ ' unique_clicks l, last_click t, _file v, _row l',
        'mailchimp.click_members': 'campaign_id v, link_id v, member_id v, email_address v,'
            ~ ' clicks l, _file v, _row l',
        'mailchimp.open_details': 'campaign_id v, member_id v, email_address v,'
            ~ ' occurred_at t, _file v, _row l',
        'mailchimp.member_activity': 'member_id v, list_id v, activity_type v, occurred_at t,'
            ~ ' campaign_id v, activity j, _file v, _row l',
        'mailchimp.ecommerce_stores': 'store_id v, list_id v, name v, platform v,'
            ~ ' domain v, currency_code v, created_at t, updated_at t, _file v,'
            ~ ' _row l',
        'mailchimp.ecommerce_orders': 'order_id v, store_id v, customer j,'
            ~ ' campaign_id v, landing_site v, financial_status v,'
            ~ ' fulfillment_status v, currency_code v, order_total n,'
            ~ ' discount_total n, tax_total n, shipping_total n, processed_at t,'
            ~ ' cancelled_at t, updated_at t, promos j, lines j, _file v, _row l',
        'mailchimp.ecommerce_carts': 'cart_id v, store_id v, customer j,'
            ~ ' campaign_id v, currency_code v, order_total n, lines j, created_at t,'
            ~ ' updated_at t, _file v, _row l',
        'mailchimp.ecommerce_customers': 'customer_id v, store_id v, email_address v,'
            ~ ' opt_in_status b, first_name v, last_name v, orders_count l,'
            ~ ' total_spent n, created_at t, updated_at t, _file v, _row l',
        'woocommerce.orders': 'id v, parent_id v, number v, status v, currency v, created_via v,'
            ~ ' customer_id v, date_created_gmt t, date_modified_gmt t, date_paid_gmt t,'
            ~ ' date_completed_gmt t, discount_total n, shipping_total n, total_tax n, total n,'
            ~ ' prices_include_tax b, payment_method v, billing j, shipping j, line_items j,'
            ~ ' tax_lines j, shipping_lines j, fee_lines j, coupon_lines j, refunds j,'
            ~ ' meta_data j, _is_deleted b, _file v, _row l',
        'woocommerce.order_refunds': 'id v, order_id v, date_created_gmt t, amount n, reason v,'
            ~ ' line_items j, meta_data j, _is_deleted b, _file v, _row l',
        'woocommerce.customers': 'id v, role v, email v, first_name v, last_name v,'
            ~ ' is_paying_customer b, date_created_gmt t, date_modified_gmt t, billing j,'
            ~ ' shipping j, meta_data j, _is_deleted b, _file v, _row l',
        'woocommerce.products': 'id v, parent_id v, name v, sku v, type v, status v, price n,'
            ~ ' regular_price n, date_created_gmt t, date_modified_gmt t, categories j, tags j,'
            ~ ' attributes j, meta_data j, _is_deleted b, _file v, _row l',
        'square.locations': 'id v, name v, status v, timezone v, currency v, country v,'
            ~ ' created_at t, address j, _is_deleted b, _file v, _row l',
        'square.customers': 'id v, reference_id v, given_name v, family_name v, email_address v,'
            ~ ' phone_number v, birthday v, created_at t, updated_at t, version l, address j,'
            ~ ' preferences j, _is_deleted b, _file v, _row l',
        'square.orders': 'id v, location_id v, customer_id v, reference_id v, state v,'
            ~ ' created_at t, updated_at t, closed_at t, version l, total_amount l,'
            ~ ' total_currency v, net_amount_due_amount l, line_items j, discounts j, returns j,'
            ~ ' refunds j, tenders j, fulfillments j, metadata j, _is_deleted b, _file v, _row l',
        'square.payments': 'id v, order_id v, customer_id v, location_id v, status v,'
            ~ ' source_type v, created_at t, updated_at t, total_amount l, total_currency v,'
            ~ ' wallet_details j, _is_deleted b, _file v, _row l',
        'square.refunds': 'id v, payment_id v, order_id v, location_id v, status v, reason v,'
            ~ ' created_at t, updated_at t, amount_amount l, amount_currency v, _is_deleted b,'
            ~ ' _file v, _row l',
        'square.catalog': 'id v, type v, updated_at t, version l, item_data j, category_data j,'
            ~ ' _is_deleted b, _file v, _row l',
        'square.loyalty_accounts': 'id v, program_id v, customer_id v, balance l,'
            ~ ' lifetime_points l, enrolled_at t, created_at t, updated_at t, mapping j,'
            ~ ' _is_deleted b, _file v, _row l',
        'shopify.shop_orders': 'id v, name v, created_at t, updated_at t, processed_at t,'
            ~ ' cancelled_at t, test b, source_name v, currency_code v, email v,'
            ~ ' phone v, display_financial_status v, display_fulfillment_status v,'
            ~ ' cart_token v, discount_codes j, tags j, customer_gid v,'
            ~ ' retail_location_gid v, shipping_name v, shipping_country_code v,'
            ~ ' shipping_province v, billing_name v, billing_country_code v,'
            ~ ' billing_province v, total_price n, total_refunded n, ROW',
        'shopify.line_items': 'id v, order_gid v, title v, variant_title v, sku v, vendor v,'
            ~ ' quantity l, current_quantity l, is_gift_card b, product_gid v,'
            ~ ' variant_gid v, original_unit_price n, currency_code v,'
            ~ ' discount_allocations j, ROW',
        'shopify.order_transactions': 'id v, order_gid v, kind v, status v, test b,'
            ~ ' gateway v, created_at t, processed_at t, transaction_amount n, currency_code v, ROW',
        'shopify.shop_refunds': 'id v, order_gid v, created_at t, processed_at t,'
            ~ ' total_refunded n, currency_code v, ROW',
        'shopify.customers': 'id v, first_name v, last_name v, state v, locale v, tags j,'
            ~ ' created_at t, updated_at t, email_address v, email_marketing_state v,'
            ~ ' email_marketing_opt_in_level v, email_marketing_updated_at t,'
            ~ ' phone_number v, sms_marketing_state v, sms_marketing_opt_in_level v,'
            ~ ' sms_marketing_updated_at t, country_code v, address_province v, city v,'
            ~ ' address1 v, ROW',
        'shopify.product_variants': 'id v, title v, sku v, barcode v, variant_price n,'
            ~ ' updated_at t, product_gid v, product_title v, product_type v, vendor v,'
            ~ ' product_status v, product_tags j, product_updated_at t, ROW',
        'shopify.locations': 'id v, name v, is_active b, created_at t, updated_at t,'
            ~ ' address_province v, city v, country_code v, ROW',
    } -%}
    {%- set text = tables[table] | replace('REF', shared['REF']) | replace('ROW', shared['ROW']) -%}
    {%- set columns = {} -%}
    {%- for column in text.split(', ') -%}
        {%- set name, letter = column.split(' ') -%}
        {%- do columns.update({name: types[letter]}) -%}
    {%- endfor -%}
    {{ return(columns) }}
{%- endmacro %}


{#
    The folders of a raw table in the lake of a configured source. An entity may come in parts:
    `orders`, `orders__marketplace`; `landed` names those of the source that are there.
#}
{% macro raw_folders(table, source) -%}
    {%- set vendor, dot, name = table.partition('.') -%}
    {%- set names = [] -%}
    {%- if dot and source['kind'] == vendor -%}
        {%- do names.append(name) -%}
    {%- elif not dot and source['kind'] in ['files', 'sql', 'twilio'] -%}
        {%- for landed in source.get('landed', [table]) if landed.split('__')[0] == table -%}
            {%- do names.append(landed) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(names) }}
{%- endmacro %}
