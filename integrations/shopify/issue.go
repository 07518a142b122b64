package shopify

import (
	"context"
	"errors"
	"time"

	"scrip.dev/scrip/integrations"
)

const issuing = "issuing a code"

const createDiscount = `mutation createDiscount($discount: DiscountCodeBasicInput!) {
  created: discountCodeBasicCreate(basicCodeDiscount: $discount) {
    codeDiscountNode { id }
    userErrors { code field message }
  }
}`

const createFreeShipping = `mutation createFreeShipping($discount: DiscountCodeFreeShippingInput!) {
  created: discountCodeFreeShippingCreate(freeShippingCodeDiscount: $discount) {
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

type userErrors []struct {
	Code    string   `json:"code"`
	Field   []string `json:"field"`
	Message string   `json:"message"`
}

// aboutDiscount says that the discount isn't there: somebody deleted it in the shop.
func (u userErrors) aboutDiscount() bool {
	return len(u) > 0 && len(u[0].Field) > 0 && u[0].Field[0] == "discountId"
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
	if data.Added.Errors.aboutDiscount() {
		return "", errors.Join(a.classify.Refused(issuing, integrations.Retry, "discount_gone"), integrations.ErrOfferGone)
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
		} `json:"created"`
	}
	document := createDiscount
	if o.FreeShipping {
		document = createFreeShipping
	}
	if err := a.query(ctx, issuing, document, map[string]any{"discount": input}, &data); err != nil {
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

// orOurs looks a taken code up: under a discount of the coupon it is the answer to
// an earlier attempt. That is another discount than the one that the coupon has
// now where the earlier attempt made one and nobody heard.
func (a *Admin) orOurs(ctx context.Context, o integrations.Offer, code string, refused userErrors) (string, error) {
	failure := a.userError(issuing, refused)
	if failure.Code != "TAKEN" && failure.Code != "DUPLICATE" && failure.Code != "IMPLICIT_DUPLICATE" {
		return "", failure
	}
	found, err := a.find(ctx, issuing, code)
	if err != nil {
		return "", err
	}
	if found == nil || found.ID != o.ExternalID && found.Discount.Title != o.Coupon {
		return "", failure
	}
	return found.ID, nil
}

// userError classes the first of the errors with which a mutation was refused.
func (a *Admin) userError(doing string, refused userErrors) *integrations.Error {
	failure := a.classify.Refused(doing, integrations.Invalid, refused[0].Code)
	failure.Detail = refused[0].Message
	switch failure.Code {
	case "INTERNAL_ERROR":
		failure.Class = integrations.Unknown
	case "":
		failure.Code = "refused"
	}
	return failure
}
