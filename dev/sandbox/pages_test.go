package sandbox_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"
)

// everyPage fills the sandbox and gives each page's content by its path.
func everyPage(h *harness) map[string]string {
	shopper := h.visitor()
	who := url.Values{"email": {"anna@example.com"}, "phone": {"+4915123456789"}, "accepts_email": {"on"}}
	h.press(shopper, "/sandbox/shop/cart", url.Values{"sku": {"POT-CAST"}, "quantity": {"1"}})
	h.press(shopper, "/sandbox/shop/details", who)
	h.press(shopper, "/sandbox/shop/buy", nil)
	h.press(shopper, "/sandbox/shop/cart", url.Values{"sku": {"POT-CAST"}, "quantity": {"1"}})
	pages := map[string]string{}
	for _, path := range []string{"/sandbox/inbox", "/sandbox/phone"} {
		pages[path+" without messages"] = h.open(shopper, path)
	}
	_, err := h.sendMail("anna@example.com")
	require.NoError(h.t, err)
	_, err = h.twilio().CreateMessage(h.sms("+4915123456789"))
	require.NoError(h.t, err)
	for _, path := range []string{"/sandbox", "/sandbox/inbox", "/sandbox/inbox/" + h.Messages()[0].ID, "/sandbox/phone", "/sandbox/shop"} {
		pages[path] = h.open(shopper, path)
	}
	return pages
}

func TestPages_CanBeUsedWithoutSeeingThem(t *testing.T) {
	t.Parallel()
	for path, content := range everyPage(setup(t)) {
		root, err := html.Parse(strings.NewReader(content))
		require.NoError(t, err)
		page := describe(root)
		require.Equal(t, 1, page.count["h1"], "%s: one main heading", path)
		require.Equal(t, 1, page.count["main"], path)
		for _, field := range page.fields {
			require.True(t, field.wrapped || page.labels[field.id], "%s: the field %q has no label", path, field.name)
		}
		require.Empty(t, page.unnamed, "%s: pictures, frames and buttons say what they are", path)
		require.Empty(t, page.twice, "%s: an id stands for one thing", path)
		for target := range page.fragments {
			require.Contains(t, page.ids, target, "%s: a link leads nowhere", path)
		}
		for target := range page.labels {
			require.Contains(t, page.ids, target, "%s: a label is for nothing", path)
		}
	}
}

func TestPages_SayWhatIsMissing(t *testing.T) {
	t.Parallel()
	h := setup(t)
	res, err := http.Get(h.base + "/sandbox/inbox/nothing")
	require.NoError(t, err)
	defer res.Body.Close()
	require.Equal(t, http.StatusNotFound, res.StatusCode)
	root, err := html.Parse(res.Body)
	require.NoError(t, err)
	require.Equal(t, 1, describe(root).count["nav"], "the way back is on the page")
}

func TestPhone_StaysWithItsNumberWhoeverIsWrittenToNext(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for _, number := range []string{"+4915123456789", "+4915199999999"} {
		_, err := h.twilio().CreateMessage(h.sms(number))
		require.NoError(t, err)
	}
	res, err := h.visitor().Get(h.base + "/sandbox/phone")
	require.NoError(t, err)
	defer res.Body.Close()
	require.Equal(t, "+4915199999999", res.Request.URL.Query().Get("number"))
}

func TestShop_TakesDetailsThatWereNotSavedAlongWithTheButton(t *testing.T) {
	t.Parallel()
	h := setup(t)
	c := h.visitor()
	h.press(c, "/sandbox/shop/cart", url.Values{"sku": {"POT-CAST"}, "quantity": {"1"}})
	require.Contains(t, h.press(c, "/sandbox/shop/buy", url.Values{"email": {""}, "phone": {""}}), "Say who you are first")
	require.Contains(t, h.press(c, "/sandbox/shop/buy", url.Values{"email": {"anna@"}}), "not an e-mail address")
	require.Contains(t, h.press(c, "/sandbox/shop/buy", url.Values{"email": {"anna@example.com"}, "accepts_email": {"on"}}), "is paid")
	var topics []string
	for _, hook := range h.got() {
		topics = append(topics, strings.TrimPrefix(hook.url, h.base+"/hooks/shop/"))
	}
	require.ElementsMatch(t, []string{"customers_email_marketing_consent/update", "checkouts/update", "orders/create", "orders/paid"}, topics)
}

// described is what there is on a page for somebody who doesn't see it.
type described struct {
	count     map[string]int // by element
	fields    []field
	labels    map[string]bool // by the id they are for
	ids       map[string]bool
	twice     []string
	unnamed   []string
	fragments map[string]bool
}

type field struct {
	id, name string
	wrapped  bool // by a label
}

func describe(root *html.Node) described {
	d := described{count: map[string]int{}, labels: map[string]bool{}, ids: map[string]bool{}, fragments: map[string]bool{}}
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		d.count[n.Data]++
		if id := attribute(n, "id"); id != "" {
			if d.ids[id] {
				d.twice = append(d.twice, id)
			}
			d.ids[id] = true
		}
		switch n.Data {
		case "input", "select", "textarea":
			if attribute(n, "type") != "hidden" {
				d.fields = append(d.fields, field{attribute(n, "id"), attribute(n, "name"), n.Parent.Data == "label"})
			}
		case "label":
			if target := attribute(n, "for"); target != "" {
				d.labels[target] = true
			}
		case "img", "iframe", "svg":
			if attribute(n, "alt")+attribute(n, "title")+attribute(n, "aria-label") == "" {
				d.unnamed = append(d.unnamed, n.Data)
			}
		case "button":
			if strings.TrimSpace(text(n)) == "" {
				d.unnamed = append(d.unnamed, n.Data)
			}
		case "a":
			if target, ok := strings.CutPrefix(attribute(n, "href"), "#"); ok {
				d.fragments[target] = true
			}
		}
	}
	return d
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func text(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}
