"""The starter configuration that `flask anchor init` writes."""

STARTER = """\
# The configuration of an anchor. Secrets do not belong here: they come from the environment,
# each as NAME or as NAME_FILE, the path of a file to read. `flask anchor keys new` makes them.
#
#   ANCHOR_DATABASE_URL                 postgresql://user:password@host/database
#   ANCHOR_BROKER_URL                   redis://…, redis+sentinel://… or amqp://…; none: in loops
#   ANCHOR_REDIS_URL                    where requests are counted; by default the broker
#   ANCHOR_SIGNING_SECRET               S…, the key that signs log-in challenges
#   ANCHOR_JWT_SECRET                   32 random bytes or more, or several: kid:secret kid:secret
#   ANCHOR_CUSTOMER_KEYS                name:key, 32 bytes in base 64; where 12 is among the seps
#   ANCHOR_OPERATORS                    who may use the admin API and the console: `flask anchor
#                                       operators new NAME` makes a line of it; may be left out
#   ANCHOR_LOG_FORMAT, ANCHOR_LOG_LEVEL text or json; debug, info, warning or error
#   ANCHOR_SENTRY_DSN                   where errors are told to Sentry; may be left out
#   ANCHOR_TRACES                       otlp or off: spans, where the OTEL_… variables say
#
# What moves money; the web server and the scheduler do without it:
#
#   ANCHOR_CHANNEL_SECRET               32 random bytes or more, for the keys of channel accounts
#   ANCHOR_DISTRIBUTION_SECRET_<CODE>   S…, the key of an asset's distribution account
#   ANCHOR_ISSUER_SECRET_<CODE>         S…, the key of its issuer, for authorize_trustlines
#   ANCHOR_KEYS_PASSPHRASE              opens those, where `flask anchor keys seal` sealed them
#
# Instead of what stands below: ANCHOR_PUBLIC_URL, ANCHOR_HORIZON_URL, ANCHOR_RPC_URL. Where this
# file is: ANCHOR_CONFIG. Where development mode keeps its things: ANCHOR_DATA_DIR.
#
# Amounts stand in quotes, so that no binary fraction ever touches them.
# `flask anchor doctor` says what is still missing.

[anchor]
public_url = "https://anchor.example"      # how the world reaches this server; https only
home_domains = ["anchor.example"]          # where stellar.toml is served, the first one by default
# web_auth_domain = "anchor.example"       # both default to the public URL's host, with its port
seps = [1, 10, 24]                         # the doors that are open
transfer_days = 7                          # how long a customer may take to pay
deadline_grace_hours = 1                   # how long after that it expires
grace_days = 14                            # how long money is looked for after that

[network]
passphrase = "Test SDF Network ; September 2015"
horizon_url = "https://horizon-testnet.stellar.org"
# rpc_url = "https://soroban-testnet.stellar.org"     for SEP-45 and contract accounts
# horizon_urls = ["https://…", "https://…"]   instead, several: the first healthy one is asked

[organization]                             # shown in stellar.toml
ORG_NAME = "Example Anchor"
# ORG_URL = "https://anchor.example"
# ORG_SUPPORT_EMAIL = "help@anchor.example"

[assets.USDC]
issuer = "{placeholder}"                   # whose asset it is: fill this in …
distribution = "{placeholder}"             # … and this: the account that customers pay to
rails = ["bank"]                           # names of installed rails: `flask anchor rails`
currency = "USD"                           # what the rails book for it, one for one
decimals = 2                               # what the rails can pay
matching = "exact"                         # exact, tolerance or collect
# tolerance = "0.10"                       # or of the amount: tolerance_percent = "10"

[assets.USDC.withdrawal]
min_amount = "1"
max_amount = "10000"
fee_fixed = "1"
fee_percent = "0.5"
# fee_minimum = "2"                        # and fee_maximum, tiers, fees of rails
# daily_limit = "20000"                    # of one customer, in 24 hours

[assets.USDC.deposit]
min_amount = "1"
max_amount = "10000"
fee_fixed = "0"
fee_percent = "0.5"
create_accounts = false                    # open accounts that are not on the ledger yet …
# starting_balance = "2"                   # … with so many lumens, and for this fee in the asset
# creation_fee = "0.50"
claimable_balances = false                 # for wallets that take them
# authorize_trustlines = true              # AUTH_REQUIRED: the issuer signs, too

# [pages]                                  # how the interactive pages look
# name = "Example Anchor"
# logo = "logo.svg"                        # a file beside this one
# accent = "#14508c"

[rails.bank]                               # handed to the rail as its options
url = "https://bank.example/api"

# Prices and firm quotes (SEP-38): put 38 into seps, and say what is exchanged for what.
# [offchain."iso4217:BRL"]
# decimals = 2
# country_codes = ["BR"]
# delivery_methods = { bank = "By PIX to an account in Brazil" }   # names of rails
#
# [[pairs]]
# asset = "USDC"
# offchain = "iso4217:BRL"
# rates = "fixed"                          # or http, or a plug-in of yours
# spread_percent = "0.5"
# deposit = { fee_fixed = "2.50" }         # in BRL, who buys USDC
# withdrawal = { fee_fixed = "0.50" }      # in USDC, who sells it
#
# [rates.fixed]
# "USDC/BRL" = "5.42"                      # one USDC is so many BRL
#
# [customers]                              # what customers have to give, with 12 among the seps
# retention_days = 1825                    # personal data goes so long after their last sign
# [customers.types.sep6]
# verdict = "automatic"                    # or "manual": a person decides
# [customers.types.sep6.fields]
# first_name = {}
# last_name = {}
# photo_id_front = { from_amount = "1000" }

[schedule]                                 # cron specs in UTC, or "off"
execute_outgoing_transactions = "* * * * *"
poll_outgoing_transactions = "* * * * *"
poll_pending_deposits = "* * * * *"
check_trustlines = "* * * * *"
work = "* * * * *"

# Payments of other anchors (SEP-31): put 31 and 12 into seps, and say with whom that is agreed.
# [assets.USDC.send]
# min_amount = "1"
# fee_fixed = "1"
# kyc = "async"                            # or "before": customers are accepted first
# quotes_required = false
#
# [sending_anchors.remitter]
# accounts = ["G…"]                        # with which it logs in
# settlement = "stellar"                   # or "rail": its money comes by bank
#
# Anchors that `flask anchor send` pays, and how much of an asset may be under way to each.
# [receiving_anchors."receiver.example"]
# cap = "10000"

# [web_auth]
# contract_id = "C…"                       # the web auth contract of SEP-45
# request_header = "off"                   # or accepted, required: signed requests of SEP-10

[client_domains]                           # wallets that say who they are (SEP-10)
required = false
allow = []                                 # empty: any
deny = []
""".replace("{placeholder}", "G" + "…")
