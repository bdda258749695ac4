// Request and response: calls, errors, retries, answers later and from another thread.
#include "support.hpp"

#include "messages.pb.h"

#include <thread>

using acme::v1::Alarm;
using acme::v1::Answer;
using acme::v1::Question;
using dividere::Error;
using dividere::Message;
using dividere::Request;
using dividere::Response;
using dividere::Status;
using support::any_port;
using support::limit;

namespace {

Question question(int number) {
    Question made;
    made.set_number(number);
    return made;
}

Answer answer(int number) {
    Answer made;
    made.set_number(number);
    return made;
}

/// A response, and a thread that answers each message by `handler(Message &)` until the response is closed.
class Server {
public:
    template <class Handler>
    explicit Server(Handler handler) {
        thread_ = std::thread([this, handler] {
            for (Message &message : response) {
                handler(response, message);
            }
        });
    }
    ~Server() {
        response.close();
        thread_.join();
    }

    Response response{any_port};

private:
    std::thread thread_;
};

TEST(RequestResponse, a_call_gets_its_answer) {
    Server server(
        [](Response &response, Message &message) { response.send(answer(2 * message.get<Question>().number())); });
    Request request(server.response.last_endpoint());
    for (int number = 0; number < 20; ++number) {
        EXPECT_EQ(request.call<Answer>(question(number), limit).number(), 2 * number);
    }
    const auto result = request.try_call<Answer>(question(5), limit);
    ASSERT_TRUE(result) << result.text();
    EXPECT_EQ(result->number(), 10);
}

TEST(RequestResponse, bytes_are_asked_and_answered_as_they_are) {
    Response response(any_port);
    Request request(response.last_endpoint());
    auto served = std::async(std::launch::async, [&] {
        const std::string asked = response.recv_bytes(limit);
        response.send_bytes(asked + "!");
    });
    EXPECT_EQ(request.call_bytes("hello", limit), "hello!");
    support::await(served);
}

TEST(RequestResponse, threads_call_side_by_side_on_one_request) {
    Server server([](Response &, Message &message) { message.reply(answer(message.get<Question>().number())); });
    Request request(server.response.last_endpoint());
    std::vector<std::future<bool>> callers;
    for (int thread = 0; thread < 4; ++thread) {
        callers.push_back(std::async(std::launch::async, [&request, thread] {
            for (int number = 0; number < 25; ++number) {
                const int wanted = 100 * thread + number;
                if (request.call<Answer>(question(wanted), limit).number() != wanted) {
                    return false;
                }
            }
            return true;
        }));
    }
    for (auto &caller : callers) {
        EXPECT_TRUE(support::await(caller));
    }
}

TEST(RequestResponse, an_error_of_the_server_is_an_error_of_the_call) {
    Server server([](Response &response, Message &message) {
        if (message.get<Question>().number() == 1) {
            response.send_error(Status::NotFound, "no such number");
        } else {
            message.reply_error(Status::Busy, "later");
        }
    });
    Request request(server.response.last_endpoint());
    try {
        request.call<Answer>(question(1), limit);
        FAIL() << "the call should have failed";
    } catch (const Error &error) {
        EXPECT_EQ(error.status(), Status::NotFound);
        EXPECT_NE(std::string(error.what()).find("no such number"), std::string::npos) << error.what();
    }
    const auto result = request.try_call<Answer>(question(2), limit);
    EXPECT_EQ(result.status(), Status::Busy);
    EXPECT_NE(result.text().find("later"), std::string::npos) << result.text();
}

TEST(RequestResponse, an_answer_of_another_type_is_an_error_that_carries_it) {
    Server server([](Response &response, Message &) {
        Alarm alarm;
        alarm.set_text("fire");
        response.send(alarm);
    });
    Request request(server.response.last_endpoint());
    const auto result = request.try_call<Answer>(question(1), limit);
    EXPECT_EQ(result.status(), Status::Type);
    ASSERT_NE(result.message(), nullptr);
    EXPECT_EQ(result.message()->get<Alarm>().text(), "fire");
}

TEST(RequestResponse, a_call_without_an_answer_times_out_and_the_next_goes_through) {
    Response response(any_port);
    Request request(response.last_endpoint());
    request.wait_connected(limit);
    EXPECT_EQ(request.try_call<Answer>(question(1), std::chrono::milliseconds(20)).status(), Status::Timeout);
    auto served = std::async(std::launch::async, [&] {
        // Both are answered; the late answer to the first is not taken for that to the second.
        for (int count = 0; count < 2; ++count) {
            const auto asked = response.recv<Question>(limit);
            const auto sent = response.try_send(answer(asked.number()));
            EXPECT_TRUE(sent) << sent.text();
        }
    });
    EXPECT_EQ(request.call<Answer>(question(2), limit).number(), 2);
    support::await(served);
}

TEST(RequestResponse, a_call_is_sent_again_to_the_next_endpoint) {
    Response silent(any_port);
    Server server([](Response &, Message &message) { message.reply(answer(message.get<Question>().number())); });
    Request request({silent.last_endpoint(), server.response.last_endpoint()});
    request.wait_connected(2, limit);
    for (int number = 0; number < 2; ++number) {
        EXPECT_EQ(request.call<Answer>(question(number), std::chrono::milliseconds(500), 20).number(), number);
    }
}

TEST(RequestResponse, send_and_receive_keep_their_order) {
    Response response(any_port);
    Request request(response.last_endpoint());
    Answer received;
    EXPECT_EQ(request.try_recv(received, limit).status(), Status::State);
    request.send(question(7));
    EXPECT_EQ(request.try_send(question(8)).status(), Status::State);
    EXPECT_EQ(response.recv<Question>(limit).number(), 7);
    EXPECT_EQ(response.try_recv<Question>(limit).status(), Status::State);
    response.send(answer(7));
    EXPECT_EQ(response.try_send(answer(7)).status(), Status::State);
    request.recv(received, limit);
    EXPECT_EQ(received.number(), 7);
}

TEST(RequestResponse, an_answer_is_given_later_and_from_another_thread_once) {
    Response response(any_port);
    Request request(response.last_endpoint());
    auto called = std::async(std::launch::async, [&] { return request.call<Answer>(question(3), limit).number(); });
    Message asked = response.recv(limit);
    auto answered = std::async(std::launch::async, [moved = std::move(asked)]() mutable {
        EXPECT_TRUE(moved.can_reply());
        moved.reply(answer(33));
        EXPECT_FALSE(moved.can_reply());
        return moved.try_reply(answer(34)).status();
    });
    EXPECT_EQ(support::await(called), 33);
    EXPECT_EQ(support::await(answered), Status::State);
}

} // namespace
