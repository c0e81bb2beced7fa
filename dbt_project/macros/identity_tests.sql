{#
    The health of the identity graph. A broken rule in a source (one e-mail for all guests) shows
    as a giant cluster or a wave of merges, and must be seen before it is written down.
#}

{# Every identifier that may link is in the proposal, and nothing else is. #}
{% test proposal_covers_all_nodes(model) %}
select
    nodes.node_id as missing_node,
    proposal.node_id as invented_node
from (select * from {{ ref('identity_nodes') }} where blocked_by is null) as nodes
full outer join {{ model }} as proposal on nodes.node_id = proposal.node_id
where nodes.node_id is null or proposal.node_id is null
{% endtest %}


{# No customer has more accounts, addresses and numbers than one person can have. #}
{% test clusters_stay_small(model, most=30) %}
select
    cluster_id,
    count(*) as identifier_count
from {{ model }}
where identifier_type not in ('anonymous_id', 'device_id', 'record')
group by cluster_id
having count(*) > {{ most }}
{% endtest %}


{# One run merges few of the customers known before; under `at_least` merges anything goes. #}
{% test merges_stay_rare(model, most_share=0.1, at_least=20) %}
select
    merged_count,
    known_count
from (
    select
        count(distinct previous_customer_id) as known_count,
        count(distinct case
            when previous_customer_id <> customer_id then previous_customer_id
        end) as merged_count
    from {{ model }}
) as counts
where merged_count >= {{ at_least }} and merged_count > {{ most_share }} * known_count
{% endtest %}


{#
    A figure of the graph has not jumped: at most `most` (of `share_of`, where given), or in all
    fewer than `unless_below`, which no small data set can be blamed for.
#}
{% test metric_stays_below(model, metric, most, unless_below, count_metric, share_of=none) %}
select
    figures.value,
    counted.value as counted,
    {{ 'whole.value' if share_of else 1 }} as whole
from {{ model }} as figures
cross join (select value from {{ model }} where metric = '{{ count_metric }}') as counted
{% if share_of -%}
cross join (select value from {{ model }} where metric = '{{ share_of }}') as whole
{% endif -%}
where figures.metric = '{{ metric }}'
    and counted.value >= {{ unless_below }}
    and figures.value > {{ most }}{{ " * whole.value" if share_of }}
{% endtest %}
