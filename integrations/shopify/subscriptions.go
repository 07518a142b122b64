package shopify

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

const reconciling = "reconciling webhook subscriptions"

const listSubscriptions = `query listSubscriptions($after: String) {
  webhookSubscriptions(first: 100, after: $after) {
    nodes { id topic uri format }
    pageInfo { hasNextPage endCursor }
  }
}`

const createSubscription = `mutation createSubscription($topic: WebhookSubscriptionTopic!, $subscription: WebhookSubscriptionInput!) {
  webhookSubscriptionCreate(topic: $topic, webhookSubscription: $subscription) { userErrors { field message } }
}`

const updateSubscription = `mutation updateSubscription($id: ID!, $subscription: WebhookSubscriptionInput!) {
  webhookSubscriptionUpdate(id: $id, webhookSubscription: $subscription) { userErrors { field message } }
}`

const deleteSubscription = `mutation deleteSubscription($id: ID!) {
  webhookSubscriptionDelete(id: $id) { userErrors { field message } }
}`

// subscription is one of the app's own; the API lists no others.
type subscription struct {
	ID     string `json:"id"`
	Topic  string `json:"topic"`
	URI    string `json:"uri"`
	Format string `json:"format"`
}

// Reconcile subscribes each topic that is read to its own address below hookURL.
// Shopify deletes a subscription whose webhooks failed for hours, so this is
// done at every start. The privacy topics are set in the app's configuration and
// can't be subscribed to. Subscriptions to other topics are left alone.
func (a *Admin) Reconcile(ctx context.Context, hookURL string) ([]string, error) {
	existing, err := a.subscriptions(ctx)
	if err != nil {
		return nil, err
	}
	var changes []string
	for _, topic := range slices.Sorted(maps.Keys(normalisers)) {
		if isPrivacy(topic) {
			continue
		}
		address := strings.TrimRight(hookURL, "/") + "/" + topic
		changed, err := a.reconcileTopic(ctx, topic, address, existing[enumName(topic)])
		changes = append(changes, changed...)
		if err != nil {
			return changes, err
		}
	}
	return changes, nil
}

func isPrivacy(topic string) bool {
	return topic == "customers/data_request" || topic == "customers/redact" || topic == "shop/redact"
}

// enumName is a topic's name in the API: orders/create is ORDERS_CREATE.
func enumName(topic string) string {
	return strings.ToUpper(strings.ReplaceAll(topic, "/", "_"))
}

func (a *Admin) reconcileTopic(ctx context.Context, topic, address string, existing []subscription) ([]string, error) {
	input := map[string]any{"uri": address, "format": "JSON"}
	if len(existing) == 0 {
		variables := map[string]any{"topic": enumName(topic), "subscription": input}
		return a.change(ctx, "webhookSubscriptionCreate", createSubscription, variables, "Subscribed to %s.", topic)
	}
	// One that is right already is kept; the others would send everything twice.
	slices.SortStableFunc(existing, func(x, y subscription) int {
		return btoi(y.URI == address) - btoi(x.URI == address)
	})
	var changes []string
	if kept := existing[0]; kept.URI != address || kept.Format != "JSON" {
		changed, err := a.change(ctx, "webhookSubscriptionUpdate", updateSubscription,
			map[string]any{"id": kept.ID, "subscription": input}, "Corrected the address of %s.", topic)
		if err != nil {
			return nil, err
		}
		changes = changed
	}
	for _, double := range existing[1:] {
		changed, err := a.change(ctx, "webhookSubscriptionDelete", deleteSubscription,
			map[string]any{"id": double.ID}, "Removed a second subscription to %s.", topic)
		changes = append(changes, changed...)
		if err != nil {
			return changes, err
		}
	}
	return changes, nil
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (a *Admin) change(ctx context.Context, field, document string, variables map[string]any, sentence, topic string) ([]string, error) {
	var data map[string]struct {
		Errors userErrors `json:"userErrors"`
	}
	if err := a.query(ctx, reconciling, document, variables, &data); err != nil {
		return nil, err
	}
	if errors := data[field].Errors; len(errors) > 0 {
		failure := a.userError(reconciling, errors)
		failure.Code = "topic " + topic
		return nil, failure
	}
	return []string{fmt.Sprintf(sentence, topic)}, nil
}

func (a *Admin) subscriptions(ctx context.Context) (map[string][]subscription, error) {
	byTopic := map[string][]subscription{}
	var after any
	for {
		var data struct {
			Page struct {
				Nodes []subscription `json:"nodes"`
				Info  struct {
					More bool   `json:"hasNextPage"`
					End  string `json:"endCursor"`
				} `json:"pageInfo"`
			} `json:"webhookSubscriptions"`
		}
		if err := a.query(ctx, reconciling, listSubscriptions, map[string]any{"after": after}, &data); err != nil {
			return nil, err
		}
		for _, s := range data.Page.Nodes {
			byTopic[s.Topic] = append(byTopic[s.Topic], s)
		}
		if !data.Page.Info.More || data.Page.Info.End == "" || after == data.Page.Info.End {
			return byTopic, nil
		}
		after = data.Page.Info.End
	}
}
