package cli

import (
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"scrip.dev/scrip/store"
)

type codeHistory struct {
	Code, Coupon, Set, Shop, State string
	ValidUntil                     *time.Time `json:"valid_until"`
	Assignments                    []struct {
		Journey, Contact, State string
		ClaimedAt               time.Time  `json:"claimed_at"`
		ExposedAt               *time.Time `json:"exposed_at"`
		AppliedAt               *time.Time `json:"applied_at"`
		ExpiresAt               *time.Time `json:"expires_at"`
	}
	Redemptions []struct {
		ID, Order, Contact, Total, Discount, Currency, State string
		At                                                   time.Time
	}
	Holds []struct {
		Reference string
		Until     time.Time
	}
}

func (a *app) codeCommand() *cobra.Command {
	var shop string
	showing := &cobra.Command{Use: "show CODE", Short: "Show everything that happened to a code", Args: needs("a code"), RunE: func(cmd *cobra.Command, args []string) error {
		return show(cmd.Context(), a, request{method: "GET", path: "/v1/codes/" + url.PathEscape(args[0]), query: withValues(url.Values{"shop": {shop}})}, showCode)
	}}
	showing.Flags().StringVar(&shop, "shop", "", "the connection of the shop; default: any")
	return parent("code", "Look at single codes, give and withdraw them", showing, a.codeAssign(), a.codeWithdraw())
}

func showCode(w io.Writer, h codeHistory) {
	facts(w, "code", h.Code, "coupon", h.Coupon, "set", h.Set, "shop", h.Shop, "state", h.State, "valid until", maybe(h.ValidUntil))
	var holders, uses, holds [][]string
	for _, one := range h.Assignments {
		holders = append(holders, []string{one.Contact, one.Journey, one.State, moment(one.ClaimedAt), maybe(one.ExposedAt), maybe(one.AppliedAt), maybe(one.ExpiresAt)})
	}
	for _, one := range h.Redemptions {
		uses = append(uses, []string{one.Order, one.Contact, one.Total + " " + one.Currency, one.Discount, one.State, moment(one.At)})
	}
	for _, one := range h.Holds {
		holds = append(holds, []string{one.Reference, moment(one.Until)})
	}
	for _, part := range []struct {
		header []string
		rows   [][]string
	}{
		{[]string{"HOLDER", "JOURNEY", "STATE", "CLAIMED", "SEEN", "APPLIED", "EXPIRES"}, holders},
		{[]string{"ORDER", "BOUGHT BY", "TOTAL", "DISCOUNT", "STATE", "AT"}, uses},
		{[]string{"HELD BY", "UNTIL"}, holds},
	} {
		if len(part.rows) > 0 {
			fmt.Fprintln(w)
			table(w, "", part.header, part.rows)
		}
	}
}

func (a *app) codeAssign() *cobra.Command {
	var contact, key, validFor string
	command := &cobra.Command{Use: "assign COUPON", Short: "Give somebody a code, outside any campaign", Args: needs("a coupon"), RunE: func(cmd *cobra.Command, args []string) error {
		body := map[string]any{}
		switch {
		case strings.HasPrefix(contact, store.ContactID+"_"):
			body["contact"] = contact
		case strings.Contains(contact, "@"):
			body["email"] = contact
		case strings.HasPrefix(contact, "+"):
			body["phone"] = contact
		case contact != "":
			id, err := a.findContact(cmd.Context(), contact)
			if err != nil {
				return err
			}
			body["contact"] = id
		}
		if key != "" {
			body["key"] = key
		}
		if validFor != "" {
			body["valid_for"] = validFor
		}
		return show(cmd.Context(), a, request{method: "POST", path: "/v1/coupons/" + url.PathEscape(args[0]) + "/assign", body: body}, func(w io.Writer, given struct {
			Code      string
			ExpiresAt *time.Time `json:"expires_at"`
		}) {
			fmt.Fprint(w, given.Code)
			if given.ExpiresAt != nil {
				fmt.Fprintf(w, "  until %s", moment(*given.ExpiresAt))
			}
			fmt.Fprintln(w)
		})
	}}
	flags := command.Flags()
	flags.StringVar(&contact, "contact", "", "whose code it is: Scrip's id, an outside id, or an address, which may be a new one")
	flags.StringVar(&key, "key", "", "the same key gets the same code")
	flags.StringVar(&validFor, "valid-for", "", "36h, 7d; default: the coupon's")
	return command
}

func (a *app) codeWithdraw() *cobra.Command {
	return &cobra.Command{Use: "withdraw CODE", Short: "Make a code unusable, here and in its shop", Args: needs("a code"), RunE: func(cmd *cobra.Command, args []string) error {
		return show(cmd.Context(), a, request{method: "POST", path: "/v1/codes/" + url.PathEscape(args[0]) + "/withdraw"}, func(w io.Writer, _ any) {
			fmt.Fprintln(w, "The code can't be used any more.")
		})
	}}
}
