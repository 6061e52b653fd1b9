// `geo.distanceKm(lat, lon, lat, lon)`: the haversine formula on a sphere of 6371 km.

export function distanceKm(latitudeA: number, longitudeA: number, latitudeB: number, longitudeB: number): number {
  const rad = Math.PI / 180
  const sinLatitude = Math.sin(((latitudeB - latitudeA) * rad) / 2)
  const sinLongitude = Math.sin(((longitudeB - longitudeA) * rad) / 2)
  const h = sinLatitude * sinLatitude + Math.cos(latitudeA * rad) * Math.cos(latitudeB * rad) * sinLongitude * sinLongitude
  // Rounding may lift h above 1 for opposite points.
  return 2 * 6371 * Math.asin(Math.sqrt(Math.min(1, h)))
}
