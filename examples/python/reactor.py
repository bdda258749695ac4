"""A reactor: one task that measures, listens and answers, in an event loop of asyncio. Its handlers run on one thread,
so what they share needs no lock. (`dividere.messaging.MtMsgReactor` is the same with a thread of its own.)"""

import asyncio

from dividere import aio
from example_pb2 import Mean, MeanRequest, Reading

WANTED = 5


class Station(aio.MsgReactor):
    """Collects readings, and answers what their mean is as soon as there are enough."""

    def __init__(self, objects):
        super().__init__(objects)
        self.celsius = []
        self.more = asyncio.Condition()

    async def handleReading(self, subscriber, reading):
        print(f"{reading.sensor}: {reading.celsius:g} °C")
        async with self.more:
            self.celsius.append(reading.celsius)
            self.more.notify_all()

    async def handleMeanRequest(self, response, question):
        # Readings are handled while this waits; what a handler raises goes to the asker, and does not end the reactor.
        async with self.more:
            await self.more.wait_for(lambda: len(self.celsius) >= question.readings_at_least)
        await response.send(Mean(celsius=sum(self.celsius) / len(self.celsius), readings=len(self.celsius)))


async def measure(thermometer):
    celsius = 20
    while True:
        thermometer.send(Reading(sensor="kitchen", celsius=celsius))
        celsius += 1
        await asyncio.sleep(0.01)


async def main():
    thermometer = aio.Publisher("tcp://127.0.0.1:*")
    subscriber = aio.Subscriber(thermometer.last_endpoint, [Reading])
    desk = aio.Response("tcp://127.0.0.1:*")
    await thermometer.wait_for_subscribers(1, Reading, timeout=10)
    async with Station([subscriber, desk]), aio.Request(desk.last_endpoint) as request:
        measuring = asyncio.create_task(measure(thermometer))
        mean = await request.call(MeanRequest(readings_at_least=WANTED), timeout=20)
        measuring.cancel()
    print(f"mean of {mean.readings} readings: {mean.celsius:g} °C")
    assert mean.readings >= WANTED and mean.celsius == 20 + (mean.readings - 1) / 2


if __name__ == "__main__":
    asyncio.run(main())
