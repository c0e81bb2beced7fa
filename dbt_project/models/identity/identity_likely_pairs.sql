-- Links by likeness, after what people have answered: an accepted pair is one person, a rejected
-- one is not asked about again.
select
    matches.left_key,
    matches.right_key,
    matches.probability,
    matches.evidence,
    matches.is_link,
    'likeness' as rule
from {{ ref('identity_matches') }} as matches
left join {{ ref('identity_reviewed') }} as reviewed
    on least(matches.left_key, matches.right_key) = least(reviewed.left_key, reviewed.right_key)
    and greatest(matches.left_key, matches.right_key)
    = greatest(reviewed.left_key, reviewed.right_key)
where reviewed.left_key is null
union all
select
    left_key,
    right_key,
    1.0,
    'answered by a person',
    true,
    'review'
from {{ ref('identity_reviewed') }}
where is_accepted
