{# Whether an order of Square is a return: something came back and nothing was sold. #}
{% macro is_square_return(order) -%}
    (
        coalesce({{ json_text(order ~ '.returns', '[0]') }}, '') <> ''
        and coalesce({{ json_text(order ~ '.line_items', '[0]') }}, '') = ''
    )
{%- endmacro %}


{# A whole number of a currency's smallest unit in the currency itself (ISO 4217). #}
{% macro major_units(amount, currency) -%}
    cast({{ amount }} as decimal(18, 4)) / case
        when {{ currency }} in (
            'BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'UYI',
            'VND', 'VUV', 'XAF', 'XOF', 'XPF'
        ) then 1
        when {{ currency }} in ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') then 1000
        else 100
    end
{%- endmacro %}
