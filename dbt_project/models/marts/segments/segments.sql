-- Declared segments, one per word that customers have in an open kind, one per stated answer.
with definitions as (
    select * from {{ segment_definitions(ref('segment_definitions')) }} as definitions
),

-- The retailer's generations, under the names that the seed has for ours.
generations as (
    select
        'generation_' || generation as segment_id,
        generation,
        label_vi,
        case
            when birth_year_from is null then 'Born up to ' || birth_year_to
            when birth_year_to is null then 'Born from ' || birth_year_from
            else 'Born ' || birth_year_from || '-' || birth_year_to
        end as description
    from {{ vocabulary('generations', {
        'generation': 'varchar', 'birth_year_from': 'varchar', 'birth_year_to': 'varchar',
        'label_vi': 'varchar',
    }) }} as vocabulary
),

declared as (
    select
        segment_id, segment_kind, segment_name, label_vi, kind, description, rule, owner,
        is_exclusive
    from definitions
    where segment_kind <> 'generation' or segment_id = 'generation_unknown'
    union all
    select
        generations.segment_id, 'generation',
        coalesce(definitions.segment_name, generations.generation), generations.label_vi,
        'demographic', generations.description,
        'generation = ' || {{ quoted('generations.generation') }},
        coalesce(definitions.owner, 'crm'), true
    from generations
    left join definitions on generations.segment_id = definitions.segment_id
),

-- A segment's rule says which words it is.
found as (
    select
        segment_kind,
        segment_id,
        min(word) as word,
        max(kind) as kind,
        case
            when segment_id = segment_kind || '_unknown'
                then 'coalesce(' || max(column_name) || ', ''unknown'')'
            else max(column_name)
        end || ' in (' || {{ listed(quoted('word')) }} || ')' as rule
    from {{ ref('segment_values') }}
    group by segment_kind, segment_id
),

labels as (
    select 'channel' as segment_kind, channel as word, channel as label_en, label_vi
    from {{ ref('channels') }}
    union all
    select 'store', store_id, store_name as label_en, store_name as label_vi
    from {{ ref('stores') }}
),

named as (
    select
        found.*,
        coalesce(labels.label_en, found.word) as segment_name,
        coalesce(labels.label_vi, found.word) as label_vi
    from found
    left join labels
        on found.segment_kind = labels.segment_kind and found.word = labels.word
),

answers as (
    select
        segment_kind,
        segment_id,
        min(measure) || ': ' || min(stated_answer) as segment_name
    from {{ ref('segment_evidence') }}
    where origin = 'declared'
    group by segment_kind, segment_id
)

select
    coalesce(declared.segment_id, named.segment_id) as segment_id,
    coalesce(declared.segment_kind, named.segment_kind) as segment_kind,
    coalesce(declared.segment_name, named.segment_name) as segment_name,
    coalesce(declared.label_vi, named.label_vi) as label_vi,
    coalesce(declared.kind, named.kind) as kind,
    coalesce(declared.description, case named.segment_kind
        when 'marital_status' then 'Marital status as stated: '
        when 'occupation' then 'Occupation as stated: '
        when 'income_band' then 'Income as stated: '
        when 'country' then 'Golden address lies in the country '
        when 'province' then 'Golden address lies in the province '
        when 'ward' then 'Golden address lies in the ward '
        when 'store' then 'Buys mostly in the store '
        when 'category' then 'Buys mostly of the category '
        when 'channel' then 'Orders most often on the channel '
    end || named.segment_name) as description,
    coalesce(named.rule, declared.rule) as rule,
    coalesce(declared.owner, 'crm') as owner,
    coalesce(declared.is_exclusive, true) as is_exclusive
from declared
full outer join named on declared.segment_id = named.segment_id
union all
select
    segment_id,
    segment_kind,
    segment_name,
    segment_name as label_vi,
    'psychographic' as kind,
    'Answered a survey so, the last time asked: ' || segment_name as description,
    'customer_id in (select customer_id from segment_evidence where segment_id = '''
    || segment_id || ''')' as rule,
    'crm' as owner,
    false as is_exclusive
from answers
