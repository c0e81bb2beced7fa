{{ config(
    enabled=is_staged('survey_responses'),
    unique_key=['source', 'response_id'],
    meta={'raw_table': 'survey_responses'},
) }}

{{ latest_rows('survey_responses', keys=['response_id'], order_by=['updated_at', 'answered_at']) }}
