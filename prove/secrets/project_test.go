package secrets_test

// settings is the proof's scrip.yaml.
const settings = `
project: proof
time_zone: Europe/Berlin
quiet_hours: {sms: "", whatsapp: ""}
teams: {service: {email: service@example.com}}
defaults: {shop: shop, email: email, sms: sms}
connections:
  shop:
    kind: shopify
    sandbox: true
    shop: ${SHOP_DOMAIN}
    client_secret: ${SHOP_SECRET}
    access_token: ${SHOP_TOKEN}
    base_url: ${VENDORS}/shopify
  email:
    kind: sendgrid
    sandbox: true
    api_key: ${MAIL_KEY}
    webhook_public_key: ${MAIL_PUBLIC}
    from: shop@example.com
    base_url: ${VENDORS}/sendgrid
    evidence_window: 1s
  sms:
    kind: twilio
    sandbox: true
    account_sid: ${SMS_SID}
    auth_token: ${SMS_TOKEN}
    from: ${SMS_FROM}
    base_url: ${VENDORS}/twilio
  own:
    kind: webhook
    secret: ${OWN_SECRET}
  fraud:
    kind: http
    base_url: ${VENDORS}/fraud
    allow_private: true
    headers:
      Authorization: Bearer ${CALL_TOKEN}
`

// files are the project's campaigns, coupons and templates. Every text that a
// person gets says all that is known of them.
var files = map[string]string{
	"templates/all/email.html": "---\nsubject: For {{ contact.first_name }}\nlayout: none\n---\n" +
		"<p>{{ contact.name }} {{ contact.email }} {{ contact.phone }} {{ contact.street }} {{ contact.likes }} {{ trigger.note }} {{ code }}</p>\n",
	"templates/cart/email.html": "---\nsubject: For {{ contact.first_name }}\nlayout: none\n---\n<p>{{ contact.name }} {{ contact.email }} {{ code }}</p>\n",
	"templates/all/sms.txt":     "{{ contact.name }} {{ contact.street }} {{ code }}\n",
	"templates/broken/email.html": "---\nsubject: Broken\nlayout: none\n---\n" +
		"<p>{{ contact.likes.of.nobody }} {{ contact.email | date: contact.street }}</p>\n",
	"campaigns/cart.yaml": `
campaign: cart
trigger: {event: checkout.updated, where: event.total >= 1 && contact.reachable(), debounce: 1h}
entry: {key: event.checkout_token, cooldown: 30d}
exit:
  - {event: order.created, match: checkout_token, as: bought_without_code}
steps:
  - send: {email: cart, coupon: made}
  - await:
      - event: code.applied
        then: [{tag: applied}]
      - after: 400d
lifetime: 500d
---
coupon: made
discount: {percentage: 10}
codes: {shop: "MKMADE########"}
valid_for: 300d
`,
	"campaigns/everything.yaml": `
campaign: everything
trigger: {event: everything.wanted}
entry: {key: event.note}
lifetime: 500d
steps:
  - call: {connection: fraud, method: POST, path: "/check", json: {who: "{{ contact.email }}", note: "{{ trigger.note }}", street: "{{ contact.street }}"}}
  - notify: {service: "{{ contact.name }} {{ contact.email }} {{ trigger.note }}"}
  - send: {email: all, coupon: given}
    else: [{tag: no-mail}]
  - send: {sms: all}
    else: [{tag: no-sms}]
  - await:
      - event: never.happens
        where: event.note == trigger.note
        then: [{tag: never}]
      - after: 400d
---
coupon: given
discount: {percentage: 10}
codes: {list: true}
on_empty: skip
`,
	"campaigns/parked.yaml": `
campaign: parked
trigger: {event: parked.wanted}
lifetime: 500d
steps:
  - send: {email: broken}
  - wait: 400d
`,
	"campaigns/undecided.yaml": `
campaign: undecided
trigger: {event: undecided.wanted}
lifetime: 500d
steps:
  - if: int(contact.likes) > 3 || timestamp(contact.street) < now
    then: [{tag: decided}]
  - wait: 400d
`,
	"campaigns/refusing.yaml": `
campaign: refusing
trigger: {event: [undecided.wanted, everything.wanted], where: int(event.note) > 3}
steps:
  - tag: never
`,
}
