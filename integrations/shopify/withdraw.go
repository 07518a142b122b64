package shopify

import (
	"context"
	"fmt"
	"strings"
	"time"

	"scrip.dev/scrip/event"
	"scrip.dev/scrip/integrations"
)

const withdrawing = "withdrawing a code"

const findCode = `query findCode($code: String!, $search: String!) {
  codeDiscountNodeByCode(code: $code) {
    id
    codeDiscount {
      ... on DiscountCodeBasic { title codes(first: 5, query: $search) { nodes { id code } } }
      ... on DiscountCodeFreeShipping { title codes(first: 5, query: $search) { nodes { id code } } }
    }
  }
}`

const removeCode = `mutation removeCode($discount: ID!, $codes: [ID!]!) {
  discountCodeRedeemCodeBulkDelete(discountId: $discount, ids: $codes) {
    job { id }
    userErrors { code field message }
  }
}`

// Withdraw deletes a code from its discount. A code that isn't there, or that
// belongs to another discount, needs no withdrawing.
func (a *Admin) Withdraw(ctx context.Context, o integrations.Offer, code string) error {
	found, err := a.find(ctx, withdrawing, code)
	if err != nil {
		return err
	}
	if found == nil || !found.of(o) {
		return nil
	}
	id := found.codeID(code)
	if id == "" {
		// The shop knows the code, but its search hasn't got it yet.
		failure := a.classify.Refused(withdrawing, integrations.Retry, "not_searchable_yet")
		failure.RetryAfter = 30 * time.Second
		return failure
	}
	var data struct {
		Removed struct {
			Errors userErrors `json:"userErrors"`
		} `json:"discountCodeRedeemCodeBulkDelete"`
	}
	variables := map[string]any{"discount": found.ID, "codes": []string{id}}
	if err := a.query(ctx, withdrawing, removeCode, variables, &data); err != nil {
		return err
	}
	if len(data.Removed.Errors) > 0 {
		return a.userError(withdrawing, data.Removed.Errors)
	}
	return nil
}

// foundCode is the discount that has a code.
type foundCode struct {
	ID       string `json:"id"`
	Discount struct {
		Title string `json:"title"`
		Codes struct {
			Nodes []struct {
				ID   string `json:"id"`
				Code string `json:"code"`
			} `json:"nodes"`
		} `json:"codes"`
	} `json:"codeDiscount"`
}

func (a *Admin) find(ctx context.Context, doing, code string) (*foundCode, error) {
	var data struct {
		Node *foundCode `json:"codeDiscountNodeByCode"`
	}
	search := fmt.Sprintf(`code:"%s"`, strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(code))
	err := a.query(ctx, doing, findCode, map[string]any{"code": code, "search": search}, &data)
	return data.Node, err
}

// of says whether the discount is the coupon's.
func (f *foundCode) of(o integrations.Offer) bool {
	if o.ExternalID != "" {
		return f.ID == o.ExternalID
	}
	return f.Discount.Title == o.Coupon
}

func (f *foundCode) codeID(code string) string {
	for _, n := range f.Discount.Codes.Nodes {
		if event.NormaliseCode(n.Code) == event.NormaliseCode(code) {
			return n.ID
		}
	}
	return ""
}
