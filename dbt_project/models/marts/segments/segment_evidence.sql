-- What psychographic segments rest on, per customer: the answer that was stated, or each measure
-- that the rule compares with a threshold.
-- depends_on: {{ ref('segment_definitions') }}
{%- set flags = segment_flags() | selectattr('kind', 'equalto', 'psychographic') | list %}
{%- set terms = evidence_terms(flags) %}

with spoken as (
    select customer_id, answered_at, response_id, {{ json_pairs('answers') }} as pair
    from {{ ref('survey_responses') }}
    where customer_id is not null
),

-- Whoever was asked twice is believed the last time.
latest as (
    select
        customer_id, answered_at,
        pair.key as question,
        pair.value as answer,
        row_number() over (
            partition by customer_id, pair.key
            order by answered_at desc nulls last, response_id asc
        ) as recency_rank
    from spoken
    where pair.value <> ''
),

-- Longer texts are told in one's own words and make no segment.
answers as (
    select
        question, answer,
        'answer_' || {{ segment_slug('question') }} as segment_kind,
        'answer_' || {{ segment_slug('question') }} || '_' || {{ segment_slug('answer') }}
            as segment_id
    from (select distinct question, answer from latest) as words
    where length(answer) <= 80
),

-- Two questions that fold alike are one.
stated as (
    select
        latest.customer_id, answers.segment_kind, answers.segment_id, latest.question,
        latest.answer, latest.answered_at,
        count(*) over (partition by answers.segment_id) as answer_count,
        row_number() over (
            partition by latest.customer_id, answers.segment_kind
            order by latest.answered_at desc nulls last, latest.question asc
        ) as question_rank
    from latest
    inner join answers on latest.question = answers.question and latest.answer = answers.answer
    where latest.recency_rank = 1
),

judged as (
    select
        {% for name in terms.columns -%}
        {{ name }},
        {% endfor -%}
        {% for flag in flags -%}
        coalesce((
            {{ flag['rule'] }}
        ), false) as in_{{ flag['segment_id'] }},
        {% endfor -%}
        customer_id,
        as_of
    from {{ ref('segment_inputs') }}
)

select
    customer_id,
    segment_kind,
    segment_id,
    'declared' as origin,
    question as measure,
    answer as stated_answer,
    cast(null as double) as measured_value,
    cast(null as varchar) as comparison,
    cast(null as double) as threshold_value,
    answered_at as observed_at
from stated
where question_rank = 1 and answer_count >= {{ threshold('smallest_answer_segment') }}
{% for term in terms.rows -%}
union all
select
    customer_id,
    '{{ term.segment_id }}',
    '{{ term.segment_id }}',
    'inferred',
    '{{ term.measure }}',
    null,
    cast({{ term.measure }} as double),
    '{{ term.comparison }}',
    cast({{ term.limit }} as double),
    as_of
from judged
where in_{{ term.segment_id }}
{% endfor %}
