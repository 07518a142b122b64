package sandbox

import (
	"net/url"
	"slices"
	"strings"
)

func subscriptionObject(sub subscription, version string) object {
	return object{
		"__typename": "WebhookSubscription", "id": sub.ID, "topic": sub.Topic, "format": sub.Format,
		"uri": sub.URI, "callbackUrl": sub.URI,
		"endpoint":   object{"__typename": "WebhookHttpEndpoint", "callbackUrl": sub.URI},
		"apiVersion": object{"__typename": "ApiVersion", "handle": version, "displayName": version, "supported": true},
		"filter":     nil, "includeFields": append([]string{}, sub.Fields...), "metafieldNamespaces": []string{}, "name": nil,
		"createdAt": sub.CreatedAt, "updatedAt": sub.UpdatedAt,
	}
}

func (s *shopify) listSubscriptions(args map[string]any, version string) any {
	topics, _ := args["topics"].([]any)
	nodes := []object{}
	for _, sub := range s.subscriptions {
		if len(topics) > 0 && !slices.Contains(topics, any(sub.Topic)) || text(args, "uri") != "" && sub.URI != text(args, "uri") {
			continue
		}
		nodes = append(nodes, subscriptionObject(sub, version))
	}
	return connection("WebhookSubscription", nodes, args)
}

func (s *shopify) createSubscription(args map[string]any, version string) any {
	now := s.now().UTC()
	sub := subscription{ID: newID("WebhookSubscription"), Topic: text(args, "topic"), Format: "JSON", CreatedAt: now}
	if e := sub.read(inner(args, "webhookSubscription")); e != nil {
		return subscriptionPayload("WebhookSubscriptionCreatePayload", nil, e)
	}
	for _, other := range s.subscriptions {
		if other.Topic == sub.Topic && other.URI == sub.URI && other.Format == sub.Format {
			return subscriptionPayload("WebhookSubscriptionCreatePayload", nil,
				userError("UserError", "", "Address for this topic has already been taken", "webhookSubscription", "callbackUrl"))
		}
	}
	sub.UpdatedAt = now
	s.save(change{Subscription: &sub})
	return subscriptionPayload("WebhookSubscriptionCreatePayload", subscriptionObject(sub, version), nil)
}

func (s *shopify) updateSubscription(args map[string]any, version string) any {
	const payload = "WebhookSubscriptionUpdatePayload"
	at := s.findSubscription(args)
	if at < 0 {
		return subscriptionPayload(payload, nil, userError("UserError", "", "Webhook subscription does not exist", "id"))
	}
	sub := s.subscriptions[at]
	if e := sub.read(inner(args, "webhookSubscription")); e != nil {
		return subscriptionPayload(payload, nil, e)
	}
	sub.UpdatedAt = s.now().UTC()
	s.save(change{Subscription: &sub})
	return subscriptionPayload(payload, subscriptionObject(sub, version), nil)
}

func (s *shopify) deleteSubscription(args map[string]any) any {
	const payload = "WebhookSubscriptionDeletePayload"
	at := s.findSubscription(args)
	if at < 0 {
		return object{"__typename": payload, "deletedWebhookSubscriptionId": nil,
			"userErrors": []object{userError("UserError", "", "Webhook subscription does not exist", "id")}}
	}
	sub := s.subscriptions[at]
	sub.Deleted = true
	s.save(change{Subscription: &sub})
	return object{"__typename": payload, "deletedWebhookSubscriptionId": sub.ID, "userErrors": []object{}}
}

func (s *shopify) findSubscription(args map[string]any) int {
	return slices.IndexFunc(s.subscriptions, func(x subscription) bool { return x.ID == text(args, "id") })
}

// read takes over what is given. Shopify itself takes https addresses only; here
// http is fine, because Scrip runs on the same machine.
func (sub *subscription) read(in map[string]any) object {
	for _, key := range []string{"uri", "callbackUrl"} {
		address := text(in, key)
		if address == "" {
			continue
		}
		if u, err := url.Parse(address); err != nil || u.Host == "" {
			return userError("UserError", "", "Address is invalid", "webhookSubscription", key)
		}
		sub.URI = address
	}
	if sub.URI == "" {
		return userError("UserError", "", "Address can't be blank", "webhookSubscription", "uri")
	}
	if format := text(in, "format"); format != "" {
		sub.Format = format
	}
	if fields, ok := in["includeFields"].([]any); ok {
		sub.Fields = nil
		for _, f := range fields {
			sub.Fields = append(sub.Fields, f.(string))
		}
	}
	return nil
}

func subscriptionPayload(kind string, sub any, e object) object {
	errs := []object{}
	if e != nil {
		errs = append(errs, e)
	}
	return object{"__typename": kind, "webhookSubscription": sub, "userErrors": errs}
}

// subscribed gives the addresses that want a topic, as it stands in the
// X-Shopify-Topic header; known is false where nobody subscribed to anything.
func (s *shopify) subscribed(topic string) (addresses []string, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sub := range s.subscriptions {
		if strings.EqualFold(sub.Topic, strings.ReplaceAll(topic, "/", "_")) {
			addresses = append(addresses, sub.URI)
		}
	}
	return addresses, len(s.subscriptions) > 0
}
