-- The transactions with the given numbers, one row each; nobody changes them before this transaction ends.
SELECT * FROM transactions WHERE transaction_id IN :ids
{% if dialect != 'sqlite' %}FOR UPDATE{% endif %}
