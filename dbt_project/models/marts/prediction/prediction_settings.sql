{{ config(materialized='view') }}

-- What the models of this folder are told: what a customer's money is worth (settings.yml), and
-- from where on a score is shown: the area under the ROC curve on cases that it was not made from,
-- of which fewest_held_out at least ended well and as many did not. One row.
select
    cast({{ var('margin_rate') }} as double) as margin_rate,
    cast({{ var('discount_rate') }} as double) as discount_rate,
    cast(0.55 as double) as lowest_auc,
    10 as fewest_held_out
