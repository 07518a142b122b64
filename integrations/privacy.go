package integrations

// Events in which a vendor passes on a person's or a shop's privacy request.
// They start no campaign; the project answers them itself.
const (
	PrivacyDataRequested = "privacy.data_requested" // a person asks what is stored about them
	PrivacyRedact        = "privacy.redact"         // a person is to be erased
	PrivacyShopRedact    = "privacy.shop_redact"    // a shop left: all of its people are to be erased
)
