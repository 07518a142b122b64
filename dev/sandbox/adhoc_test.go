package sandbox_test

import (
	"fmt"
	"net/url"
	"os"
	"testing"
	"time"
)

func TestAdhocShow(t *testing.T) {
	h := setup(t)
	h.makeDiscount("TEA-1")
	h.buy(h.visitor(), "TEA-1")
	for _, to := range []string{"anna@example.com", "bounce@example.com", "ben@example.com"} {
		h.sendMail(to)
	}
	h.twilio().CreateMessage(h.sms("+4915123456789").SetBody("Anna, your cart is still here. 10% off with TEA-7F3K until Friday: https://example.com/c/1"))
	h.twilio().CreateMessage(h.sms("+1555530003"))
	h.press(h.visitor(), "/sandbox/phone/reply", url.Values{"number": {"+4915123456789"}, "text": {"STOP"}})
	h.got()
	os.WriteFile("/tmp/adhoc/base", []byte(h.base+" "+h.Messages()[0].ID), 0o600)
	fmt.Println(h.base)
	for i := 0; i < 300; i++ {
		if _, err := os.Stat("/tmp/adhoc/stop"); err == nil {
			break
		}
		time.Sleep(200 * time.Millisecond)
	}
}
