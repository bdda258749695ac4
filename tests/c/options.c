/* Options are checked where they are set; what a process has one of. */
#include "check.h"

static dividere_options_t *check_options(void) {
    dividere_options_t *options = NULL;
    CHECK_OK(dividere_options_new(&options));
    CHECK(options != NULL);
    return options;
}

static void the_process_is_configured_before_the_first_handle(void) {
    dividere_options_t *options = check_options();
    CHECK_OK(dividere_options_set_int(options, DIVIDERE_OPTION_IO_THREADS, 2));
    CHECK_OK(dividere_options_set_string(options, DIVIDERE_OPTION_THREAD_NAME_PREFIX, "check"));
    CHECK_OK(dividere_options_set_int(options, DIVIDERE_OPTION_LINGER_MS, 5));
    CHECK_IS(DIVIDERE_INVALID_ARGUMENT, dividere_configure(options));
    CHECK_OK(dividere_options_set_int(options, DIVIDERE_OPTION_LINGER_MS, 1000));
    CHECK_OK(dividere_configure(options));
    CHECK_OK(dividere_configure(NULL));
    dividere_options_free(options);
}

static void what_is_out_of_range_is_refused_with_its_name(void) {
    dividere_options_t *options = check_options();
    CHECK_OK(dividere_options_set_int(options, DIVIDERE_OPTION_SEND_HIGH_WATER_MARK, 10));
    CHECK_SAYS(DIVIDERE_INVALID_ARGUMENT, "linger_ms",
               dividere_options_set_int(options, DIVIDERE_OPTION_LINGER_MS, -7));
    CHECK_SAYS(DIVIDERE_INVALID_ARGUMENT, "ipv6", dividere_options_set_int(options, DIVIDERE_OPTION_IPV6, 2));
    CHECK_SAYS(DIVIDERE_INVALID_ARGUMENT, "identity", dividere_options_set_int(options, DIVIDERE_OPTION_IDENTITY, 1));
    CHECK_SAYS(DIVIDERE_INVALID_ARGUMENT, "99999", dividere_options_set_int(options, 99999, 1));
    CHECK_SAYS(DIVIDERE_INVALID_ARGUMENT, "key", dividere_options_set_bytes(options, 0, "x", 1));
    CHECK_OK(dividere_options_set_bytes(options, DIVIDERE_OPTION_IDENTITY, "me", 2));
    CHECK_IS(DIVIDERE_INVALID_ARGUMENT, dividere_options_set_bytes(options, DIVIDERE_OPTION_IDENTITY, NULL, 0));
    CHECK_OK(dividere_options_set_string(options, DIVIDERE_OPTION_FULL_QUEUE, "block"));
    CHECK_OK(dividere_options_set_int(options, DIVIDERE_OPTION_FULL_QUEUE, DIVIDERE_FULL_QUEUE_FAIL));
    CHECK_IS(DIVIDERE_INVALID_ARGUMENT, dividere_options_set_string(options, DIVIDERE_OPTION_FULL_QUEUE, "explode"));
    dividere_options_free(options);
    dividere_options_free(NULL);
}

static void a_full_queue_fails_where_it_is_told_to(void) {
    dividere_options_t *options = check_options(), *copy = NULL;
    dividere_dealer_t dealer = {0};
    dividere_message_t *message = check_message();
    int i;
    CHECK_OK(dividere_options_set_int(options, DIVIDERE_OPTION_SEND_HIGH_WATER_MARK, 3));
    CHECK_OK(dividere_options_set_int(options, DIVIDERE_OPTION_FULL_QUEUE, DIVIDERE_FULL_QUEUE_FAIL));
    CHECK_OK(dividere_options_set_int(options, DIVIDERE_OPTION_LINGER_MS, 0));
    CHECK_OK(dividere_options_set_int(options, DIVIDERE_OPTION_MAX_MESSAGE_SIZE, 8));
    CHECK_OK(dividere_options_clone(options, &copy));
    dividere_options_free(options);
    /* Nobody is there: what is sent waits. */
    CHECK_OK(dividere_dealer_new("inproc://options-nobody", copy, &dealer));
    dividere_options_free(copy);
    for (i = 0; i < 3; i++) {
        CHECK_OK(dividere_dealer_send_bytes(dealer, "12345678", 8));
    }
    CHECK_OK(dividere_message_set_bytes(message, "12345678", 8));
    CHECK_IS(DIVIDERE_WOULD_BLOCK, dividere_dealer_send(dealer, message));
    check_holds_bytes(message, "12345678");
    CHECK_SAYS(DIVIDERE_TOO_LARGE, "9 bytes", dividere_dealer_send_bytes(dealer, "123456789", 9));
    dividere_message_free(message);
    CHECK_OK(dividere_dealer_close(dealer));
}

static void keys_let_in_whom_they_name(void) {
    dividere_key_t server_public, server_secret, client_public, client_secret, again;
    dividere_options_t *server = check_options(), *client = check_options();
    dividere_publisher_t publisher = {0};
    dividere_subscriber_t subscriber = {0}, stranger = {0};
    dividere_message_t *message = check_message();
    char endpoint[128];

    CHECK(dividere_has("curve") == 1 && dividere_has("telepathy") == 0 && dividere_has(NULL) == 0);
    CHECK_OK(dividere_curve_keypair(&server_public, &server_secret));
    CHECK_OK(dividere_curve_keypair(&client_public, &client_secret));
    CHECK(strlen(server_public.text) == 40 && strlen(server_secret.text) == 40);
    CHECK(strcmp(server_public.text, client_public.text) != 0);
    CHECK_OK(dividere_curve_public(server_secret.text, &again));
    CHECK_TEXT(server_public.text, again.text);
    CHECK_IS(DIVIDERE_INVALID_ARGUMENT, dividere_curve_public("too short", &again));

    CHECK_OK(dividere_options_set_string(server, DIVIDERE_OPTION_CURVE_SERVER_SECRET_KEY, server_secret.text));
    CHECK_SAYS(DIVIDERE_INVALID_ARGUMENT, "curve_allowed_key",
               dividere_publisher_new("tcp://127.0.0.1:*", server, &publisher));
    CHECK_OK(dividere_options_set_string(server, DIVIDERE_OPTION_CURVE_ALLOWED_KEY, client_public.text));
    CHECK_OK(dividere_publisher_new("tcp://127.0.0.1:*", server, &publisher));
    CHECK_OK(dividere_socket_last_endpoint(dividere_publisher_socket(publisher), endpoint, sizeof endpoint, NULL));
    CHECK_OK(dividere_options_set_string(client, DIVIDERE_OPTION_CURVE_SERVER_PUBLIC_KEY, server_public.text));
    CHECK_OK(dividere_options_set_string(client, DIVIDERE_OPTION_CURVE_CLIENT_SECRET_KEY, client_secret.text));
    CHECK_OK(dividere_subscriber_new(endpoint, client, &subscriber));
    CHECK_OK(dividere_publisher_wait_for_subscribers(publisher, NULL, 1, LONG_MS));
    CHECK_OK(dividere_publisher_send_bytes(publisher, "secret", 6));
    CHECK_OK(dividere_subscriber_recv_bytes(subscriber, message, LONG_MS));
    check_holds_bytes(message, "secret");
    /* The server's own key is not on its list. */
    CHECK_OK(dividere_options_set_string(client, DIVIDERE_OPTION_CURVE_CLIENT_SECRET_KEY, server_secret.text));
    CHECK_OK(dividere_subscriber_new(endpoint, client, &stranger));
    CHECK_IS(DIVIDERE_PERMISSION, dividere_socket_wait_connected(dividere_subscriber_socket(stranger), 0, LONG_MS));
    dividere_options_free(server);
    dividere_options_free(client);
    dividere_message_free(message);
    CHECK_OK(dividere_subscriber_close(stranger));
    CHECK_OK(dividere_subscriber_close(subscriber));
    CHECK_OK(dividere_publisher_close(publisher));
}

static void versions_agree(void) {
    char text[64];
    snprintf(text, sizeof text, "%d.%d.%d", DIVIDERE_VERSION_MAJOR, DIVIDERE_VERSION_MINOR, DIVIDERE_VERSION_PATCH);
    CHECK_TEXT(text, dividere_version());
    CHECK(dividere_abi_version() == DIVIDERE_VERSION_MAJOR);
    CHECK_TEXT("TIMEOUT", dividere_status_name(DIVIDERE_TIMEOUT));
    CHECK_TEXT("OK", dividere_status_name(0));
    CHECK_TEXT("UNKNOWN", dividere_status_name(-1));
    CHECK_IS(DIVIDERE_BUSY, dividere_fail(DIVIDERE_BUSY, "come back later"));
    CHECK_TEXT("come back later", dividere_last_error());
    CHECK_IS(DIVIDERE_INVALID_ARGUMENT, dividere_fail(DIVIDERE_OK, "no failure"));
}

CHECK_MAIN(TEST(the_process_is_configured_before_the_first_handle), TEST(what_is_out_of_range_is_refused_with_its_name),
           TEST(a_full_queue_fails_where_it_is_told_to), TEST(keys_let_in_whom_they_name), TEST(versions_agree))
