-- Where the rows of every accepted load went: landed = in marts + duplicate + filtered. Rows in
-- the marts are counted from the marts, duplicates from the delivered keys, neither by subtraction.
{{ config(schema='intermediate') }}
{% set by_source = "select distinct source, " %}
{#- Where the key is one row's, as its own test proves: no need to look for it twice. -#}
{% set by_row = "select source, " %}
{% set activity_key = sha256("concat_ws('|', campaign_id, member_id, action,"
    ~ " cast(occurred_at as varchar), coalesce(activity_type, ''), coalesce(url, ''))") %}
{#- A touch of such a kind: most touches are web events, which nobody has to read. -#}
{% set touches = "(select interaction_id from " ~ ref('interactions') ~ " where kind in" %}
{% set found = {
    'customers': by_row ~ "record_id as k1 from " ~ ref('int_customer_records')
        ~ " where record_kind = 'customers' and (customer_id is null or customer_id in (select"
        ~ " customer_id from " ~ ref('customers') ~ "))",
    'products': by_row ~ "product_id as k1 from $staged"
        ~ " where product_id in (select product_id from " ~ ref('products') ~ ")",
    'stores': by_row ~ "store_id as k1 from $staged"
        ~ " where store_id in (select store_id from " ~ ref('stores') ~ ")",
    'campaigns': by_row ~ "campaign_id as k1 from $staged"
        ~ " where campaign_id in (select campaign_id from " ~ ref('campaigns') ~ ")",
    'orders': by_row ~ "order_id as k1 from $staged"
        ~ " where namespace || ':' || order_id in (select order_id from " ~ ref('orders') ~ ")",
    'order_lines': by_row ~ "source_order_line_id as k1 from " ~ ref('order_lines'),
    'payments': by_row ~ "source_payment_id as k1 from " ~ ref('payments'),
    'refunds': by_row ~ "source_refund_id as k1 from " ~ ref('refunds'),
    'consents': by_source ~ "evidence_id as k1 from " ~ ref('int_consent_events'),
    'survey_responses': by_source ~ "source_response_id as k1 from " ~ ref('survey_responses'),
    'experiments': by_row ~ "experiment_id as k1 from $staged"
        ~ " where campaign_id in (select campaign_id from " ~ ref('experiments') ~ ")",
    'conversations': by_row ~ "conversation_id as k1 from $staged where source || ':' ||"
        ~ " conversation_id in (select conversation_id from " ~ ref('conversations') ~ ")",
    'messages': by_row ~ "message_id as k1 from $staged where 'message:' || source || ':' ||"
        ~ " message_id in $touches ('message', 'reply'))",
    'calls': by_row ~ "call_id as k1 from $staged where 'call:' || source || ':' ||"
        ~ " call_id in $touches ('call'))",
    'appointments': by_row ~ "appointment_id as k1 from $staged where 'appointment:' || source"
        ~ " || ':' || appointment_id in $touches ('appointment'))",
    'referrals': by_row ~ "referral_id as k1 from $staged where 'referral:' || source || ':' ||"
        ~ " referral_id in $touches ('referral'))",
    'leads': by_row ~ "lead_id as k1 from $staged where source || ':' || lead_id in (select"
        ~ " lead_id from " ~ ref('leads') ~ ")",
    'offers': by_row ~ "offer_id as k1 from $staged where offer_id in (select offer_id from "
        ~ ref('offers') ~ ")",
    'coupon_redemptions': by_row ~ "redemption_id as k1 from $staged where source || ':' ||"
        ~ " redemption_id in (select redemption_id from " ~ ref('coupon_redemptions') ~ ")",
    'loyalty_enrolments': by_row ~ "record_id as k1 from " ~ ref('int_customer_records')
        ~ " where record_kind = 'loyalty_enrolments'",
    'email_events': by_row ~ "email_event_id as k1 from $staged where source || ':' ||"
        ~ " email_event_id in (select email_event_id from " ~ ref('int_email_events') ~ ")",
    'sessions': by_row ~ "session_id as k1 from $staged where source || ':session:' ||"
        ~ " session_id in (select session_id from " ~ ref('sessions') ~ ")",
    'segment.events': by_row ~ "message_id as k1 from " ~ ref('int_web_events')
        ~ " where session_id in (select session_id from " ~ ref('sessions') ~ ")",
    'mailchimp.lists': by_row ~ "list_id as k1 from " ~ ref('stg_mailchimp__lists'),
    'mailchimp.members': by_row ~ "list_id as k1, member_id as k2 from "
        ~ ref('stg_mailchimp__members') ~ " where source || ':' || member_id in (select source"
        ~ " || ':' || record_id from " ~ ref('int_customer_records') ~ ")",
    'mailchimp.campaigns': by_row ~ "campaign_id as k1 from " ~ ref('stg_mailchimp__campaigns')
        ~ " where campaign_id in (select campaign_id from " ~ ref('campaigns') ~ ")",
    'mailchimp.sent_to': by_source ~ "campaign_id as k1, member_id as k2 from "
        ~ ref('int_email_events') ~ " where kind = 'sent'",
    'mailchimp.email_activity': by_source ~ "activity_id as k1 from "
        ~ ref('stg_mailchimp__email_activity') ~ " where exists (select 1 from "
        ~ ref('int_email_events') ~ " as events where events.source ="
        ~ " stg_mailchimp__email_activity.source and events.campaign_id ="
        ~ " stg_mailchimp__email_activity.campaign_id and events.member_id ="
        ~ " stg_mailchimp__email_activity.member_id and events.kind ="
        ~ " stg_mailchimp__email_activity.action)",
    'mailchimp.unsubscribes': by_source ~ "campaign_id as k1, member_id as k2 from "
        ~ ref('int_email_events') ~ " where kind = 'unsubscribe'",
} %}
{% set kinds = var('sources') | map(attribute='kind') | list %}
{#- Told by two sources of a namespace, one of which has the row in the marts. -#}
{% set keyed = {
    'order_lines': 'order_line_id', 'payments': 'payment_id', 'refunds': 'refund_id',
} %}
{% for entity, key in keyed.items() if is_told_twice(entity) -%}
    {%- do found.update({entity: by_row ~ key ~ " as k1 from $staged where namespace || ':' || "
        ~ key ~ " in (select sources.namespace || ':' || held.source_" ~ key ~ " from "
        ~ ref(entity) ~ " as held inner join " ~ ref('int_sources')
        ~ " as sources on held.source = sources.source)"}) -%}
{%- endfor %}
{% if 'woocommerce' in kinds -%}
    {%- do found.update(woocommerce_accounts(by_source, found)) %}
{%- endif %}
{% if 'square' in kinds -%}
    {%- do found.update(square_accounts(by_source, found)) %}
{%- endif %}
{% for vendor in web_event_vendors() -%}
    {%- do found.update({vendor ~ '.events': by_row ~ "message_id as k1 from "
        ~ ref('int_web_events') ~ " where session_id in (select session_id from "
        ~ ref('sessions') ~ ")"}) -%}
{%- endfor %}
{% if 'shopify' in kinds -%}
    {%- do found.update(shopify_found()) %}
{%- endif %}
{% set keys = {
    'mailchimp.members': ['list_id', 'member_id'],
    'mailchimp.sent_to': ['campaign_id', 'member_id'],
    'mailchimp.unsubscribes': ['campaign_id', 'member_id'],
    'mailchimp.email_activity': [activity_key],
} %}
{% for table, found_sql in found.items() if '.' in table or is_staged(table) -%}
{% set staged = staged_table(table) -%}
{{ table_account(
    table,
    keys.get(table, [raw_columns(table).keys() | first]),
    staged,
    found_sql.replace('$staged', ref(staged) | string).replace('$touches', touches),
    ['activity_id'] if table == 'mailchimp.email_activity' else none,
) }}
{{ 'union all' if not loop.last }}
{% endfor %}
{% for table in raw_only_tables() -%}
union all
{{ raw_only_account(table) }}
{% endfor %}
