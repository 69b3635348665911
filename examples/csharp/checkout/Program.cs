// The caller: sends orders to its own sidecar, which finds the callee by its app id.

using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json.Serialization;
using Dapr.Client;

const int Orders = 20;

var seconds = Environment.GetEnvironmentVariable("ORDER_PAUSE_SECONDS") ?? "1";
var pause = TimeSpan.FromSeconds(double.Parse(seconds, CultureInfo.InvariantCulture));

using var client = DaprClient.CreateInvokeHttpClient(appId: "order-processor");

for (var orderId = 1; orderId <= Orders; orderId++)
{
    var order = new Order(orderId);
    using var response = await client.PostAsJsonAsync("/orders", order);
    if (response.IsSuccessStatusCode)
    {
        Console.WriteLine("Order passed: " + order);
    }
    else
    {
        var reason = await response.Content.ReadAsStringAsync();
        Console.WriteLine($"Order failed: {order}: {(int)response.StatusCode} {reason}");
    }
    await Task.Delay(pause);
}

public record Order([property: JsonPropertyName("orderId")] int OrderId);
