{{ config(unique_key=['source', 'response_id'], meta={'raw_table': 'survey_responses'}) }}

{{ latest_rows('survey_responses', keys=['response_id'], order_by=[]) }}
