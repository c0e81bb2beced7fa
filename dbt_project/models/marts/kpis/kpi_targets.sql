select kpi, grain, period_start, slice, slice_value, target
from {{ vocabulary('targets', {
    'kpi': 'varchar', 'grain': 'varchar', 'period_start': 'date', 'slice': 'varchar',
    'slice_value': 'varchar', 'target': 'decimal(28, 8)',
}) }} as targets
