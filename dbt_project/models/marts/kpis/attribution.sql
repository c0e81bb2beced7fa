{{ not_yet_filled() }}
