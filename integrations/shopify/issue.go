package shopify

import (
	"context"
	"fmt"
	"strings"
	"time"

	"scrip.dev/scrip/event"
	"scrip.dev/scrip/integrations"
)

const (
	issuing     = "issuing a code"
	withdrawing = "withdrawing a code"
)

const createDiscount = `mutation createDiscount($discount: DiscountCodeBasicInput!) {
  discountCodeBasicCreate(basicCodeDiscount: $discount) {
    codeDiscountNode { id }
    userErrors { code field message }
  }
}`

const addCode = `mutation addCode($discount: ID!, $codes: [DiscountRedeemCodeInput!]!) {
  discountRedeemCodeBulkAdd(discountId: $discount, codes: $codes) {
    bulkCreation { id }
    userErrors { code field message }
  }
}`

const codeAdded = `query codeAdded($creation: ID!) {
  discountRedeemCodeBulkCreation(id: $creation) {
    done
    codes(first: 1) { nodes { code errors { code message } } }
  }
}`

const findCode = `query findCode($code: String!, $search: String!) {
  codeDiscountNodeByCode(code: $code) {
    id
    codeDiscount {
      ... on DiscountCodeBasic { title codes(first: 5, query: $search) { nodes { id code } } }
    }
  }
}`

const removeCode = `mutation removeCode($discount: ID!, $codes: [ID!]!) {
  discountCodeRedeemCodeBulkDelete(discountId: $discount, ids: $codes) {
    job { id }
    userErrors { code field message }
  }
}`

type userErrors []struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

type node struct {
	ID string `json:"id"`
}

// Issue makes a code exist under its coupon's discount: the coupon's first code
// creates the discount, later ones are added to it. A code that is taken by that
// very discount is ours from an earlier attempt.
func (a *Admin) Issue(ctx context.Context, o integrations.Offer, code string) (string, error) {
	if o.ExternalID == "" {
		return a.create(ctx, o, code)
	}
	var data struct {
		Added struct {
			Creation *node      `json:"bulkCreation"`
			Errors   userErrors `json:"userErrors"`
		} `json:"discountRedeemCodeBulkAdd"`
	}
	variables := map[string]any{"discount": o.ExternalID, "codes": []any{map[string]any{"code": code}}}
	if err := a.query(ctx, issuing, addCode, variables, &data); err != nil {
		return "", err
	}
	if len(data.Added.Errors) > 0 {
		return a.orOurs(ctx, o, code, data.Added.Errors)
	}
	if data.Added.Creation == nil {
		return "", a.classify.Refused(issuing, integrations.Unknown, "malformed_answer")
	}
	return a.added(ctx, o, code, data.Added.Creation.ID)
}

func (a *Admin) create(ctx context.Context, o integrations.Offer, code string) (string, error) {
	input, problem := discountInput(o, code)
	if problem != "" {
		return "", a.classify.Refused(issuing, integrations.Invalid, problem)
	}
	var data struct {
		Created struct {
			Node   *node      `json:"codeDiscountNode"`
			Errors userErrors `json:"userErrors"`
		} `json:"discountCodeBasicCreate"`
	}
	if err := a.query(ctx, issuing, createDiscount, map[string]any{"discount": input}, &data); err != nil {
		return "", err
	}
	if len(data.Created.Errors) > 0 {
		return a.orOurs(ctx, o, code, data.Created.Errors)
	}
	if data.Created.Node == nil {
		return "", a.classify.Refused(issuing, integrations.Unknown, "malformed_answer")
	}
	return data.Created.Node.ID, nil
}

// polls are the pauses between looks at a creation, which Shopify does in the
// background; most are done at the second look.
var polls = []time.Duration{100 * time.Millisecond, 300 * time.Millisecond, 600 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second}

// added waits until a code was added. What takes longer than polls is asked for
// again by the next attempt, which finds the code taken by ourselves.
func (a *Admin) added(ctx context.Context, o integrations.Offer, code, creation string) (string, error) {
	for _, pause := range polls {
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return "", a.classify.Refused(issuing, integrations.Unknown, "cancelled")
		}
		var data struct {
			Creation *struct {
				Done  bool `json:"done"`
				Codes struct {
					Nodes []struct {
						Code   string     `json:"code"`
						Errors userErrors `json:"errors"`
					} `json:"nodes"`
				} `json:"codes"`
			} `json:"discountRedeemCodeBulkCreation"`
		}
		if err := a.query(ctx, issuing, codeAdded, map[string]any{"creation": creation}, &data); err != nil {
			return "", err
		}
		if data.Creation == nil || !data.Creation.Done {
			continue
		}
		for _, n := range data.Creation.Codes.Nodes {
			if len(n.Errors) > 0 {
				return a.orOurs(ctx, o, code, n.Errors)
			}
		}
		return o.ExternalID, nil
	}
	return "", a.classify.Refused(issuing, integrations.Unknown, "creation_pending")
}

// orOurs looks a taken code up: under the coupon's own discount it is the answer
// to an earlier attempt.
func (a *Admin) orOurs(ctx context.Context, o integrations.Offer, code string, errors userErrors) (string, error) {
	failure := a.userError(issuing, errors)
	if failure.Code != "TAKEN" && failure.Code != "DUPLICATE" && failure.Code != "IMPLICIT_DUPLICATE" {
		return "", failure
	}
	found, err := a.find(ctx, issuing, code)
	if err != nil {
		return "", err
	}
	if found == nil || !found.of(o) {
		return "", failure
	}
	return found.ID, nil
}

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

// userError classes the first of the errors with which a mutation was refused.
func (a *Admin) userError(doing string, errors userErrors) *integrations.Error {
	failure := a.classify.Refused(doing, integrations.Invalid, errors[0].Code)
	failure.Detail = errors[0].Message
	switch failure.Code {
	case "INTERNAL_ERROR":
		failure.Class = integrations.Unknown
	case "":
		failure.Code = "refused"
	}
	return failure
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
