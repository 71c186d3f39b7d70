-- Transactions and subscriptions. Money is exact decimal, in the currency of the sale, which the API does not
-- tell. Names and addresses of the buyer are as at purchase: join on lead_id.

CREATE TABLE IF NOT EXISTS transactions (
    transaction_id {{ id }} NOT NULL, -- Kartra's number of the transaction
    lead_id {{ id }}, -- of leads
    lead_email {{ text }}, -- as at purchase, like all columns that begin with lead_
    lead_first_name {{ text }}, -- first name
    lead_last_name {{ text }}, -- last name
    lead_username {{ text }}, -- user name within Kartra
    lead_country {{ text }}, -- country
    lead_country_code_2 {{ text }}, -- its code of two letters
    lead_country_code_3 {{ text }}, -- its code of three letters
    lead_state {{ text }}, -- state
    lead_phone_country_code {{ text }}, -- country code of the phone
    lead_phone_number {{ text }}, -- phone
    lead_address {{ text }}, -- street
    lead_city {{ text }}, -- city
    lead_zip {{ text }}, -- postal code
    product_name {{ text }}, -- as at purchase
    product_id {{ id }}, -- Kartra's number of the product
    product_price_point {{ id }}, -- from 1
    transaction_type {{ name }}, -- sale, rebill, refund, partial_refund, chargeback, failed or cancellation
    transaction_date {{ text }}, -- by the clock of Kartra
    transaction_date_utc {{ utc }}, -- the same in UTC
    transaction_full_amount {{ money }}, -- paid, or given back: the sign says nothing, the type does
    net_amount {{ money }}, -- by the type: sale and rebill +, refund, partial_refund and chargeback -, the rest 0
    transaction_base_amount {{ money }}, -- base price
    transaction_discount {{ money }}, -- taken off by a coupon
    transaction_shipping {{ money }}, -- shipping
    transaction_tax {{ money }}, -- tax
    currency {{ name }}, -- from the export of Kartra; the API does not tell it
    transaction_quantity {{ integer }}, -- how many
    transaction_affiliate {{ text }}, -- user name of the affiliate
    transaction_jv {{ text }}, -- user name of the joint venture partner
    transaction_parent_id {{ id }}, -- what was given back; 0 for a sale or a failed rebill
    original_id {{ id }}, -- first transaction of the subscription; 0 for a single sale
    transaction_subscription_id {{ name }}, -- subscription by the number of the payment provider
    transaction_internal_subscription_id {{ id }}, -- subscription by the number of Kartra
    transaction_subscription_pay_number {{ integer }}, -- which instalment
    transaction_last_4_card_digits {{ text }}, -- of the card
    origin {{ name }} NOT NULL, -- api: pulled. export: known from the export of Kartra alone
    listed_at {{ utc }} NOT NULL, -- when it was seen first
    pulled_at {{ utc }}, -- when its details were pulled; empty while they are owed
    extra {{ json }}, -- what Kartra sent beyond these columns
    PRIMARY KEY (transaction_id)
) {{ options }};
CREATE INDEX {{ if_not_exists }} transactions_by_lead ON transactions (lead_id);
CREATE INDEX {{ if_not_exists }} transactions_by_date ON transactions (transaction_date_utc);
CREATE INDEX {{ if_not_exists }} transactions_owed ON transactions (pulled_at);

CREATE TABLE IF NOT EXISTS subscriptions (
    subscription_id {{ id }} NOT NULL, -- Kartra's number of the subscription
    lead_id {{ id }}, -- of leads
    lead_email {{ text }}, -- address of the lead, as told with the subscription
    subscription_lead_id {{ id }}, -- the same lead as told by the details
    subscription_product_id {{ id }}, -- Kartra's number of the product
    subscription_price_point {{ id }}, -- from 1
    subscription_status {{ name }}, -- Active, Paused, Cancelled or Terminated (all payments made)
    subscription_start_date {{ text }}, -- by the clock of Kartra
    subscription_start_date_utc {{ utc }}, -- the same in UTC
    subscription_end_date {{ text }}, -- by the clock of Kartra; empty while it goes on
    subscription_end_date_utc {{ utc }}, -- the same in UTC
    subscription_current_installment {{ integer }}, -- number of the last payment
    subscription_installments_left {{ name }}, -- a number, or: Until cancelled
    subscription_recurring_period {{ name }}, -- monthly, every 2 months, quarterly, yearly, ...
    subscription_next_payment_date {{ text }}, -- by the clock of Kartra
    subscription_next_payment_date_utc {{ utc }}, -- the same in UTC
    subscription_next_scheduled_payment_amount {{ money }}, -- of the next payment
    subscription_affiliate {{ text }}, -- user name of the affiliate
    subscription_jv {{ text }}, -- user name of the joint venture partner
    listed_at {{ utc }} NOT NULL, -- when it was seen first
    status_seen_at {{ utc }} NOT NULL, -- when its status was seen last
    pulled_at {{ utc }}, -- when its details were pulled last; empty while they are owed
    is_owed {{ integer }} NOT NULL, -- 1: its details are to be pulled (again)
    extra {{ json }}, -- what Kartra sent beyond these columns
    PRIMARY KEY (subscription_id)
) {{ options }};
CREATE INDEX {{ if_not_exists }} subscriptions_by_lead ON subscriptions (lead_id);
CREATE INDEX {{ if_not_exists }} subscriptions_owed ON subscriptions (is_owed);
