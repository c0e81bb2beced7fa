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
        count(distinct previous_customer_number) as known_count,
        count(distinct case
            when previous_customer_number <> customer_number then previous_customer_number
        end) as merged_count
    from {{ model }}
) as counts
where merged_count >= {{ at_least }} and merged_count > {{ most_share }} * known_count
{% endtest %}


{# One run splits few of the customers known before; under `at_least` splits anything goes. #}
{% test splits_stay_rare(model, most_share=0.1, at_least=20) %}
select
    figures.value as split_count,
    shares.value as split_share
from (select value from {{ model }} where metric = 'split') as figures
cross join (select value from {{ model }} where metric = 'split_share') as shares
where figures.value >= {{ at_least }} and shares.value > {{ most_share }}
{% endtest %}


{#
    Few links break a limit; a wave of them is a source that gives everybody one value. A device that
    several people use is no sign of it.
#}
{% test held_back_links_stay_rare(model, most_share=0.1, at_least=50) %}
select
    held_back.link_count,
    edges.link_count as all_links
from (
    select count(*) as link_count from {{ model }} where reason not like 'device:%'
) as held_back
cross join (select count(*) as link_count from {{ ref('identity_edges') }}) as edges
where held_back.link_count >= {{ at_least }}
    and held_back.link_count > {{ most_share }} * edges.link_count
{% endtest %}
