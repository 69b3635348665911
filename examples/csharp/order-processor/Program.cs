// The callee: takes orders over plain HTTP and knows nothing about Dapr.

using System.Text.Json.Serialization;

var port = Environment.GetEnvironmentVariable("APP_PORT") ?? "7001";
var app = WebApplication.CreateBuilder(args).Build();

app.MapPost("/orders", (Order order) =>
{
    Console.WriteLine("Order received : " + order);
    return order.ToString();
});

await app.RunAsync($"http://localhost:{port}");

public record Order([property: JsonPropertyName("orderId")] int orderId);
